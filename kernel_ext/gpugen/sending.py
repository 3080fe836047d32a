"""What was sent to the server and is not followed yet: an interrupt takes it back, whenever it comes."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from gpugen import words
from gpugen_protocol.errors import GpugenError

if TYPE_CHECKING:
    from gpugen.client import Client, Task
    from gpugen_protocol.request import TaskRequest

_PATIENCE = 5.0  # seconds a worker is given to stop


class Sending:
    """The tasks that one cell, command or call submits.

    An interrupt may come while the answer to a submission is on its way, and with it the only word of the
    task's id. So the Idempotency-Key is chosen before: the same submission sent again starts nothing new, and
    its answer tells the id of what is to be canceled.

    As a context, it takes back what was sent in it if it is interrupted.

    Attributes:
        told: whether the server has heard that all that is known of is to stop.
    """

    def __init__(self) -> None:
        self.told = False
        self._client: Client | None = None
        self._unheard: Callable[[], Task] | None = None  # the submission that was not answered yet
        self._tasks: dict[str, Task] = {}

    def send(self, client: Client, request: TaskRequest) -> Task:
        """Submit `request`; raises as `Client.send`. Several form a group of their own."""
        return self._begin(client, partial(client.send, request))

    def retry(self, client: Client, task: str) -> Task:
        """Submit the request of `task` once more; raises as `Client.retry`."""
        return self._begin(client, partial(client.retry, task))

    def _begin(self, client: Client, submit: Callable[[str], Task]) -> Task:
        self._client = client
        self._unheard = partial(submit, uuid.uuid4().hex)
        try:
            return self._hear(self._unheard)
        except GpugenError:
            self._unheard = None
            raise

    def hold(self, task: Task) -> Task:
        """Let an interrupt stop `task`, too, which is on the server already."""
        self._tasks[task.id] = task
        return task

    @property
    def pending(self) -> bool:
        """Whether there is something that may go on without us."""
        return self._unheard is not None or any(not task.record.finished for task in self._tasks.values())

    @property
    def last(self) -> Task | None:
        """What was submitted last, as far as the server has said."""
        return next(reversed(self._tasks.values()), None)

    @property
    def group(self) -> str | None:
        """The name of the group, if it is one."""
        return self.last.record.group if self.last and len(self._tasks) > 1 else None

    @property
    def name(self) -> str:
        """What it is, to be read."""
        if self.group is not None:
            return f"the grid {self.group}"
        return f"task {self.last.id}" if self.last is not None else "what was sent"

    def farewell(self, command: str) -> str:
        """What has become of it; `command` is what the user cancels with: `gpugen` or `%gpugen`."""
        if self._unheard is not None:
            return words.untold("what was sent", f"{command} queue")
        if self.last is None:
            return "Nothing was submitted."
        if self.group is not None:
            return words.farewell_of_grid(self.group, 0, told=self.told, command=command)
        record = self.last.record
        return words.farewell(record, len(record.images), told=self.told, command=command)

    def take_back(self) -> None:
        """Have all of it canceled, and give a worker some seconds to stop; see `told`."""
        if self._unheard is not None:
            with contextlib.suppress(GpugenError):  # the rest is canceled all the same; `farewell` says it
                self._hear(self._unheard)
        try:
            self._cancel()
        except GpugenError:
            return
        self.told = True
        if self.last is not None and self.group is None:
            self.last.settle(_PATIENCE)

    def __enter__(self) -> Sending:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.take_back()

    def _hear(self, ask: Callable[[], Task]) -> Task:
        task = self.hold(ask())
        self._unheard = None
        return task

    def _cancel(self) -> None:
        if self.group is not None and self._client is not None:
            self._client.api.cancel_group(self.group)
        elif self.last is not None and not self.last.record.finished:
            self.last.cancel()
