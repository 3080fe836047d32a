"""What the queue promises, as a model in memory: dictionaries and plain rules, no SQL and no clock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from gpugen_protocol.errors import Conflict, IdempotencyConflict, LeaseLost, NotFound
from gpugen_server.queue import order
from gpugen_server.queue.order import Front, Lane

MAX_ATTEMPTS = 3
MOST_FAILURES = 3
TERMINAL = {"succeeded", "failed", "canceled"}
OLD = 1e9  # seconds: longer than any task may be passed over


@dataclass
class Worker:
    """One that claims; `aside` while it gets nothing because it failed too often."""

    models: tuple[str, ...]
    failures: int = 0
    failed_task: str | None = None
    aside: bool = False


@dataclass
class Task:
    """One that was acknowledged. `told` are the states its watchers were told, in order."""

    id: str
    num: int
    owner: str
    priority: int
    group: str | None
    model: str
    n: int
    turn: int
    state: str = "queued"
    attempt: int = 0
    released: int = 0
    cancel: bool = False
    lease: str | None = None
    worker: str | None = None
    expired: bool = False
    silent: bool = True  # its worker has said nothing about it yet
    passed: float | None = None  # seconds since it was passed over
    ended: tuple[str, str] | None = None  # the last lease that was ended, and how
    error: str | None = None
    images: dict[int, tuple[int, str]] = field(default_factory=dict)  # index -> attempt, bytes
    told: list[str] = field(default_factory=lambda: ["queued"])

    @property
    def at(self) -> tuple[int, int]:
        """Where it stands: the lower goes first."""
        return order.place(self.turn, self.priority), self.num

    @property
    def lane(self) -> tuple[str, int]:
        return self.owner, self.priority

    @property
    def attempts_left(self) -> bool:
        return self.attempt - self.released < MAX_ATTEMPTS

    def move(self, state: str) -> None:
        assert self.state not in TERMINAL, "the model itself is wrong"
        self.state = state
        self.told.append(state)

    def end(self, state: str, how: str, error: str | None = None) -> None:
        self.ended, self.lease, self.error = (self.lease or "", how), None, error
        self.move(state)

    def requeue(self, how: str) -> None:
        self.ended, self.lease, self.worker, self.expired = (self.lease or "", how), None, None, False
        self.released += how == "release"
        self.move("queued")


class Reference:
    """The queue: every method does what the real one should, and raises what the real one should raise."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.workers: dict[str, Worker] = {}
        self.keys: dict[tuple[str, str], tuple[str, Any]] = {}
        self.leases: list[tuple[str, str, str]] = []  # every lease there ever was: its name, task, worker
        self.over = -1  # the last turn of which a task was removed
        self._num = 0

    # ---- what users do ----

    def known(self, user: str, key: str | None, body: Any) -> str | None:
        """The task that this key already belongs to."""
        if key is None or (user, key) not in self.keys:
            return None
        task, former = self.keys[user, key]
        if former != body:
            raise IdempotencyConflict
        return task

    def submit(self, id: str, user: str, key: str | None, body: dict[str, Any]) -> None:
        priority = body.get("priority")
        group = body.get("group")
        if priority is None:
            priority = order.GROUP_PRIORITY if group else 0
        self._num += 1
        turn = order.turn(self._lane((user, priority)), priority)
        fields = {"model": body["model"], "n": body.get("n", 1), "turn": turn}
        self.tasks[id] = Task(id, self._num, user, priority, group, **fields)
        if key is not None:
            self.keys[user, key] = (id, body)

    def cancel(self, id: str) -> None:
        task = self.tasks[id]
        if task.state == "queued":
            task.move("canceled")
        elif task.state == "running":
            task.cancel = True

    def cancel_group(self, group: str, user: str) -> None:
        members = [task for task in self.tasks.values() if (task.group, task.owner) == (group, user)]
        if not members:
            raise NotFound
        for task in members:
            self.cancel(task.id)

    def remove(self, id: str) -> None:
        task = self.tasks[id]
        if task.state not in TERMINAL:
            raise Conflict
        del self.tasks[id]
        self.keys = {key: found for key, found in self.keys.items() if found[0] != id}
        if task.attempt:
            self.over = max(self.over, task.turn)

    # ---- what workers do ----

    def claim(self, worker: str, loaded: Collection[str]) -> Task | None:
        """The task that this worker must get now; note the new lease with `grant`."""
        self.reap()
        if self.workers[worker].aside:
            return None
        held = [task for task in self._in("running") if task.worker == worker]
        again = [task for task in held if task.silent and not task.cancel]
        if again:
            return min(again, key=lambda task: task.num)
        models = self.workers[worker].models
        line = sorted((t for t in self._in("queued") if not models or t.model in models), key=lambda t: t.at)
        return self._choose(line, loaded) if line else None

    def grant(self, task: Task, lease: str, worker: str) -> None:
        if task.lease == lease:
            return
        task.attempt += 1
        task.lease, task.worker, task.silent = lease, worker, True
        task.move("running")
        self.leases.append((lease, task.id, worker))

    def report(self, lease: str, worker: str, phase: bool) -> bool:
        """Whether the worker is asked to stop."""
        task = self._hold(lease, worker)
        task.silent, task.expired = task.silent and not phase, False
        return task.cancel

    def task_of(self, lease: str) -> str:
        return next(task for name, task, _ in self.leases if name == lease)

    def holds(self, lease: str) -> bool:
        return any(task.lease == lease for task in self.tasks.values())

    def images_of(self, lease: str) -> int:
        """How many images the lease's task asks for; 0 when it was removed."""
        id = self.task_of(lease)
        return self.tasks[id].n if id in self.tasks else 0

    def accept(self, lease: str, worker: str, index: int, source: str) -> None:
        task = self._hold(lease, worker)
        known = task.images.get(index)
        if known and known[0] == task.attempt:
            if known[1] != source:
                raise Conflict
            return
        task.images[index] = (task.attempt, source)
        task.expired = False

    def complete(self, lease: str, worker: str) -> None:
        if self._ended_as(lease, "complete"):
            return
        task = self._hold(lease, worker)
        drawn = sum(attempt == task.attempt for attempt, _ in task.images.values())
        if not task.cancel and drawn != task.n:
            raise Conflict
        self.workers[worker] = Worker(self.workers[worker].models)
        task.end("canceled" if task.cancel else "succeeded", "complete")

    def fail(self, lease: str, worker: str, code: str, retryable: bool) -> None:
        if self._ended_as(lease, "fail"):
            return
        task = self._hold(lease, worker)
        self._blame(self.workers[worker], task.id, code)
        if task.cancel or code == "canceled":
            task.end("canceled", "fail")
        elif retryable and task.attempts_left:
            task.requeue("fail")
        else:
            task.end("failed", "fail", code)

    def release(self, lease: str, worker: str) -> None:
        if self._ended_as(lease, "release"):
            return
        task = self._hold(lease, worker)
        task.end("canceled", "release") if task.cancel else task.requeue("release")

    # ---- what time does ----

    def expire(self, lease: str) -> None:
        for task in self._in("running"):
            task.expired = task.expired or task.lease == lease

    def let_a_minute_pass(self) -> None:
        for task in self.tasks.values():
            task.passed = None if task.passed is None else OLD
        for worker in self.workers.values():
            worker.aside = False

    def reap(self) -> None:
        for task in self._in("running"):
            if not task.expired:
                continue
            if task.cancel:
                task.end("canceled", "lost")
            elif task.attempts_left:
                task.requeue("lost")
            else:
                task.end("failed", "lost", "poisoned")

    def spare(self) -> None:
        for task in self._in("running"):
            task.expired = False

    # ---- the parts ----

    def _in(self, state: str) -> list[Task]:
        return [task for task in self.tasks.values() if task.state == state]

    def _lane(self, lane: tuple[str, int]) -> Lane:
        begun = [task for task in self.tasks.values() if task.attempt]
        served = max((task.turn for task in begun), default=-1)
        return Lane(
            served=served,
            served_here=any((task.turn, task.lane) == (served, lane) for task in begun),
            waiting=max((task.turn for task in self._in("queued") if task.lane == lane), default=-1),
            over=self.over,
        )

    def _choose(self, line: list[Task], loaded: Collection[str]) -> Task:
        head = line[0]
        passed_at = None if head.passed is None else -head.passed
        if order.may_wait(Front(head.num, head.model, head.priority, passed_at), loaded, 0.0, 60.0):
            for task in line[: order.LOOK_AHEAD]:
                if task.model in loaded and task.priority >= head.priority:
                    head.passed = head.passed or 0.0
                    return task
        return head

    def _hold(self, lease: str, worker: str) -> Task:
        for task in self._in("running"):
            if (task.lease, task.worker) == (lease, worker):
                return task
        raise LeaseLost

    def _ended_as(self, lease: str, how: str) -> bool:
        return any(task.ended == (lease, how) for task in self.tasks.values())

    def _blame(self, worker: Worker, task: str, code: str) -> None:
        if code in ("canceled", "not_supported") or worker.failed_task == task:
            return
        worker.failures += 1
        worker.failed_task = task
        worker.aside = worker.aside or worker.failures >= MOST_FAILURES
