"""What the queue asks of the autoscaler, and what the autoscaler tells the tasks that wait."""

from __future__ import annotations

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.events import LogEvent
from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale.provider import WORKER_USER
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import finish, reap, workers

TOLD = 100  # so many tasks at the head of the queue get a complaint; the others wait for those


class Demand(Struct, frozen=True, kw_only=True):
    """How much work waits and who is there to do it.

    Attributes:
        waiting: tasks in the queue.
        running: tasks that somebody works on.
        present: workers that were heard of lately and serve what waits.
        started: those of them that this server has started.
    """

    waiting: int
    running: int
    present: int
    started: int


def read(store: Store, live_after: float) -> Demand:
    """The demand now; workers seen since `live_after` (seconds since the epoch) count as there."""
    models = {model for (model,) in store.rows("SELECT DISTINCT model FROM tasks WHERE state = 'queued'")}
    live = [w for w in workers.live(store, live_after) if not models or any(map(w.serves, models))]
    ours = {id for (id,) in store.rows("SELECT id FROM workers WHERE user = ?", WORKER_USER)}
    return Demand(
        waiting=store.value("SELECT count(*) FROM tasks WHERE state = 'queued'"),
        running=store.value("SELECT count(*) FROM tasks WHERE state = 'running'"),
        present=len(live),
        started=sum(worker.id in ours for worker in live),
    )


def complain(store: Store, message: str) -> None:
    """Write `message` into the log of the tasks that wait."""
    waiting = store.rows(
        "SELECT num, id, user FROM tasks WHERE state = 'queued' ORDER BY priority DESC, num LIMIT ?", TOLD
    )
    for key in map(TaskKey._make, waiting):
        log.append(store, key, LogEvent, level="error", message=message)


def forget_workers(store: Store) -> None:
    """No worker started by this server is alive: what they held can be claimed anew at once."""
    store.change(
        "UPDATE tasks SET lease_until = 0 WHERE state = 'running'"
        " AND worker IN (SELECT id FROM workers WHERE user = ?)",
        WORKER_USER,
    )
    store.change("UPDATE workers SET seen_at = 0 WHERE user = ?", WORKER_USER)
    reap.reap(store)


def fail_waiting(store: Store, failure: TaskFailure) -> None:
    """End every task that waits: nothing can ever serve it."""
    waiting = store.rows("SELECT num, id, user FROM tasks WHERE state = 'queued'")
    for key in map(TaskKey._make, waiting):
        store.change(
            "UPDATE tasks SET state = 'failed', phase = 'done', phase_text = ?, error = ?, finished_at = ?"
            " WHERE num = ?",
            failure.message,
            wire.encode(failure).decode(),
            store.now,
            key.num,
        )
        finish.tell_end(store, key, "failed", failure)
