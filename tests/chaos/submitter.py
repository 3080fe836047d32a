"""A user who submits with a key and tries until the answer is good; now and then twice, or withdraws."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tests.chaos.history import History

from gpugen_client.connection import Connection
from gpugen_protocol import paths
from gpugen_protocol.errors import GpugenError, ServerUnreachable, TooManyRequests, Unavailable
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import Task

T = TypeVar("T")
PASSING = (ServerUnreachable, Unavailable, TooManyRequests)
LONGEST = 20.0  # seconds for an answer once nothing goes wrong any more
PATIENCE = (2.0, 3.0)  # seconds to connect, for an answer


class Submitter(threading.Thread):
    """A thread that submits until `stopping`; what it has begun by then is brought to its answer."""

    def __init__(
        self,
        name: str,
        url: str,
        token: str,
        dice: random.Random,
        history: History,
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.error: BaseException | None = None
        self._connection = Connection(url, token, retries=0, timeout=PATIENCE)
        self._dice = dice
        self._history = history
        self._stopping = stopping
        self._sent: list[tuple[str, TaskRequest, str]] = []

    def run(self) -> None:
        try:
            while not self._stopping.wait(self._dice.expovariate(1 / 0.4)):
                self._act()
        except GpugenError as error:
            self._history.note("unanswered", user=self.name, last=error.message)
        except BaseException as error:
            self.error = error

    def _act(self) -> None:
        chance = self._dice.random()
        if self._sent and chance < 0.1:
            key, request, _ = self._dice.choice(self._sent)
            self._submit(key, request)
        elif self._sent and chance < 0.2:
            self._cancel(self._dice.choice(self._sent[-5:])[2])
        else:
            key, request = f"{self.name}-{len(self._sent)}", self._request()
            self._sent.append((key, request, self._submit(key, request)))

    def _request(self) -> TaskRequest:
        """Mostly short; one in ten outlasts a lease."""
        steps = self._dice.choice([1, 3, 5, 8, 10, 15, 20, 25, 30, 80])
        n = self._dice.choice([1, 1, 1, 2])
        return TaskRequest(prompt=f"{self.name} {len(self._sent)}", width=64, height=64, steps=steps, n=n)

    def _submit(self, key: str, request: TaskRequest) -> str:
        self._history.note("submit", key=key)
        task = self._until_answered(
            lambda: self._connection.call(
                "POST", paths.TASKS(), Task, body=request, headers={"Idempotency-Key": key}
            )
        )
        self._history.note("submitted", key=key, task=task.id)
        return task.id

    def _cancel(self, task: str) -> None:
        found = self._until_answered(lambda: self._connection.call("POST", paths.TASK_CANCEL(id=task), Task))
        self._history.note("asked to stop", task=task, state=found.state)

    def _until_answered(self, call: Callable[[], T]) -> T:
        deadline = math.inf
        while True:
            try:
                return call()
            except GpugenError as error:
                if not isinstance(error, PASSING):
                    self._history.note("refused", code=error.code, message=error.message)
                if time.monotonic() > deadline:
                    raise
            if self._stopping.is_set():
                deadline = min(deadline, time.monotonic() + LONGEST)
            time.sleep(self._dice.uniform(0.02, 0.2))
