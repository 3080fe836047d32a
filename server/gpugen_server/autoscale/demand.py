"""What the queue asks of the autoscaler, and what the autoscaler tells the tasks that wait."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.events import LogEvent
from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale.provider import WORKER_USER
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import finish, reap, waiting, workers

COUNTED = 100  # more tasks than that do not want more workers, and a long queue must not cost much
PATIENCE = 300.0  # seconds a worker may be silent before tasks that only it serves are given up
TOLD = 100  # so many tasks at the head of the queue get a complaint; the others wait for those

# With `lock_free` each: a task that is just being claimed or canceled needs to be told nothing.
_STARTING = """
SELECT num, id, owner, model FROM tasks WHERE state = 'queued' AND phase = 'starting'
ORDER BY place, num LIMIT ?
"""
_LINE_UP = """
UPDATE tasks SET phase = 'queued', phase_text = ''
WHERE num IN (SELECT num FROM tasks WHERE state = 'queued' AND phase = 'starting'{lock})
"""
_HEAD = "SELECT num, id, owner FROM tasks WHERE state = 'queued' ORDER BY place, num LIMIT ?"
_QUEUED = "SELECT num, id, owner, model FROM tasks WHERE state = 'queued'"


class Demand(Struct, frozen=True, kw_only=True):
    """How much work waits and who is there to do it.

    Attributes:
        waiting: tasks in the queue; counting stops at COUNTED.
        running: tasks that somebody works on.
        started: workers of this server that have introduced themselves and were heard of lately.
        others: workers of others that were heard of lately and serve what waits.
        absent: whether no worker at all was heard of lately.
        unserved: whether a task waits for a model that no worker serves, not even one silent for a while.
    """

    waiting: int = 0
    running: int = 0
    started: int = 0
    others: int = 0
    absent: bool = False
    unserved: bool = False


def read(store: Store, live_after: float) -> Demand:
    """The demand now; workers seen since `live_after` (seconds since the epoch) count as there."""
    head = store.rows("SELECT model FROM tasks WHERE state = 'queued' ORDER BY place, num LIMIT ?", COUNTED)
    models = {model for (model,) in head}
    live = workers.live(store, live_after)
    ours = {id for (id,) in store.rows("SELECT id FROM workers WHERE owner = ?", WORKER_USER)}
    useful = [worker for worker in live if not models or any(map(worker.serves, models))]
    return Demand(
        waiting=len(head),
        running=store.value("SELECT count(*) FROM tasks WHERE state = 'running'"),
        started=sum(worker.id in ours for worker in live),
        others=sum(worker.id not in ours for worker in useful),
        absent=not live,
        unserved=bool(_unserved(store, models, live_after)),
    )


def line_up(store: Store, live_after: float) -> None:
    """The worker is there: those who were told that it starts now wait for their turn."""
    told = store.rows(_STARTING + store.lock_free, TOLD)
    store.change(_LINE_UP.format(lock=store.lock_free))
    for _, task, *_ in told:
        waiting.tell(store, task, live_after)


def complain(store: Store, message: str) -> None:
    """Write `message` into the log of the tasks that wait."""
    for key in map(TaskKey._make, store.rows(_HEAD + store.lock_free, TOLD)):
        log.append(store, key, LogEvent, level="error", message=message)


def forget_workers(store: Store) -> None:
    """No worker started by this server is alive: what they held can be claimed anew at once."""
    store.change(
        "UPDATE tasks SET lease_until = 0 WHERE state = 'running'"
        " AND worker IN (SELECT id FROM workers WHERE owner = ?)",
        WORKER_USER,
    )
    store.change("UPDATE workers SET seen_at = 0 WHERE owner = ?", WORKER_USER)
    reap.reap(store)


def fail_unserved(store: Store, live_after: float, why: Callable[[str], TaskFailure]) -> None:
    """End every task that waits for a model that nobody serves; `why` gives the reason for a model."""
    queued = store.rows(_QUEUED + store.lock_free)
    hopeless = _unserved(store, {model for *_, model in queued}, live_after)
    for num, task, owner, model in queued:
        if model in hopeless:
            _fail(store, TaskKey(num, task, owner), why(model))


def _unserved(store: Store, models: set[str], live_after: float) -> set[str]:
    known = workers.live(store, live_after - PATIENCE)
    return {model for model in models if not any(worker.serves(model) for worker in known)}


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
