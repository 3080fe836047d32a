"""What the queue asks of the autoscaler, and what the autoscaler tells the tasks that wait."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.events import LogEvent
from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale.plan import Work
from gpugen_server.autoscale.provider import WORKER_USER
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import estimate, finish, waiting, workers
from gpugen_server.queue.place import Kind
from gpugen_server.queue.workers import LiveWorker

COUNTED = 1000  # tasks at the head of the queue that are looked at: a long queue must not cost much
KINDS = 20  # kinds of tasks whose speeds are looked up, or that are told something of their own
PATIENCE = 300.0  # seconds a worker may be silent before tasks that only it serves are given up
TOLD = 100  # so many tasks at the head of the queue get a complaint; the others wait for those

_HEAD_BY_KIND = """
SELECT model, width, height, count(*), sum(work), max(memory) FROM (
  SELECT model, width, height, work, memory FROM tasks WHERE state = 'queued' ORDER BY place, num LIMIT ?
) AS head GROUP BY model, width, height ORDER BY 5 DESC
"""
_RUNNING_BY_KIND = """
SELECT model, width, height, count(*), sum(work), coalesce(sum(started_at), 0) FROM tasks
WHERE state = 'running' GROUP BY model, width, height ORDER BY 5 DESC
"""
# With `lock_free` each: a task that is just being claimed or canceled needs to be told nothing.
_STARTING = """
SELECT num, id, owner, model FROM tasks WHERE state = 'queued' AND (phase = 'starting' OR phase_text = ?)
ORDER BY place, num LIMIT ?
"""
_LINE_UP = """
UPDATE tasks SET phase = 'queued', phase_text = ''
WHERE num IN (
  SELECT num FROM tasks WHERE state = 'queued' AND (phase = 'starting' OR phase_text = ?){lock}
)
"""
_HEAD = "SELECT num, id, owner FROM tasks WHERE state = 'queued' ORDER BY place, num LIMIT ?"
_QUEUED = "SELECT num, id, owner, model, width, height, memory FROM tasks WHERE state = 'queued'"


class Need(NamedTuple):
    """What a kind of task needs of a worker; `memory` in bytes, 0 where that is not known."""

    model: str
    width: int
    height: int
    memory: int

    @property
    def kind(self) -> Kind:
        """Of which tasks it is the need."""
        return Kind(self.model, self.width, self.height)

    def is_served(self, known: Iterable[LiveWorker]) -> bool:
        """Whether one of the `known` workers can draw it."""
        return any(worker.serves(self.model, self.memory, self.width * self.height) for worker in known)


class Demand(Struct, frozen=True, kw_only=True):
    """How much work waits and who is there to do it.

    Attributes:
        work: counting the queue stops at COUNTED.
        started: workers of this server that have introduced themselves and were heard of lately.
        others: workers of others that were heard of lately and are not set aside, if together they serve all
            that waits.
        alone: the kinds of tasks that nobody who is there and not set aside can draw; None: any task.
        absent: whether no worker at all was heard of lately.
        unserved: what tasks need that no worker can draw, not even one silent for a while.
    """

    work: Work = Work()
    started: int = 0
    others: int = 0
    alone: Collection[Kind] | None = None
    absent: bool = False
    unserved: AbstractSet[Need] = frozenset()


def read(store: Store, live_after: float, another_at: float) -> Demand:
    """The demand now; workers seen since `live_after` (seconds since the epoch) count as there.

    One that is set aside is room for nothing, unless it gets tasks again before `another_at`, when a machine
    that is asked for now would be there.
    """
    found = store.rows(_HEAD_BY_KIND, COUNTED)
    kinds = [kind for *kind, _ in found]
    needs = {Need(model, width, height, memory) for model, width, height, *_, memory in found}
    live = workers.live(store, live_after)
    ready = [worker for worker in live if not worker.is_aside(another_at)]
    begun = store.rows(_RUNNING_BY_KIND)
    work = Work(
        waiting=sum(int(count) for *_, count, _ in kinds),
        running=sum(int(count) for *_, count, _, _ in begun),
        seconds=_seconds(store, kinds),
        left=_left(store, begun),
    )
    return Demand(
        work=work,
        started=sum(worker.owner == WORKER_USER for worker in live),
        others=_useful([worker for worker in ready if worker.owner != WORKER_USER], needs),
        alone=_alone(ready, needs),
        absent=not live,
        unserved=_unserved(store, _without(needs, live), live_after),
    )


def _seconds(store: Store, kinds: list[list[Any]]) -> float | None:
    """How long one worker would be at work on them; None where a speed is not known."""
    total = 0.0
    for model, width, height, _, work in kinds[:KINDS]:
        speed = estimate.seconds_a_step(store, model, width, height)
        if speed is None:
            return None
        total += speed * int(work)
    return total


def _left(store: Store, kinds: list[tuple[str, int, int, int, int, float]]) -> float | None:
    """How long those at work still have to do; None where a speed is not known."""
    total = 0.0
    for model, width, height, count, work, started in kinds[:KINDS]:
        whole = _seconds(store, [[model, width, height, count, work]])
        if whole is None:
            return None
        total += max(0.0, whole - (count * store.now - started))
    return total


def _useful(others: list[LiveWorker], needs: set[Need]) -> int:
    if _without(needs, others):
        return 0
    return sum(not needs or any(need.is_served([worker]) for need in needs) for worker in others)


def _alone(ready: list[LiveWorker], needs: set[Need]) -> list[Kind] | None:
    if not ready:
        return None
    return [need.kind for need in itertools.islice(_without(needs, ready), KINDS)]


def line_up(store: Store, live_after: float, last_words: str = "-") -> None:
    """The worker is there: those who were told that it starts, or `last_words`, now wait for their turn."""
    told = store.rows(_STARTING + store.lock_free, last_words, TOLD)
    store.change(_LINE_UP.format(lock=store.lock_free), last_words)
    for _, task, *_ in told:
        waiting.tell(store, task, live_after)


def complain(store: Store, message: str) -> None:
    """Write `message` into the log of the tasks that wait."""
    for key in store.rows(_HEAD + store.lock_free, TOLD):
        log.append(store, TaskKey(*key), LogEvent, level="error", message=message)


def fail_unserved(
    store: Store,
    live_after: float,
    why: Callable[[Need, Sequence[LiveWorker]], TaskFailure],
    to_come: Collection[str] = (),
) -> None:
    """End every task that waits for what nobody can draw, but those whose model is `to_come`.

    `why` gives the reason, from what it needs and the workers that have its model at least.
    """
    queued = store.rows(_QUEUED + store.lock_free)
    known = workers.live(store, live_after - PATIENCE)
    hopeless = _without({Need(*need) for _, _, _, *need in queued}, known)
    for num, task, owner, *rest in queued:
        if (need := Need(*rest)) in hopeless and need.model not in to_come:
            owners = [worker for worker in known if worker.serves(need.model)]
            _fail(store, TaskKey(num, task, owner), why(need, owners))


def _unserved(store: Store, needs: set[Need], live_after: float) -> set[Need]:
    return _without(needs, workers.live(store, live_after - PATIENCE)) if needs else set()


def _without(needs: set[Need], known: list[LiveWorker]) -> set[Need]:
    """Those that none of the `known` can draw."""
    return {need for need in needs if not need.is_served(known)}


def _fail(store: Store, task: TaskKey, failure: TaskFailure) -> None:
    store.change(
        "UPDATE tasks SET state = 'failed', phase = 'done', phase_text = ?, error = ?, finished_at = ?"
        " WHERE num = ?",
        failure.message,
        wire.encode(failure).decode(),
        store.now,
        task.num,
    )
    finish.tell_end(store, task, "failed", failure)
