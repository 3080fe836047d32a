"""Take back the tasks of workers that fell silent. Runs inside every claim, and now and then on its own."""

from __future__ import annotations

from typing import Any

from gpugen_protocol.task import TaskFailure
from gpugen_server.database import Store
from gpugen_server.queue import finish, workers
from gpugen_server.queue import lease as leases
from gpugen_server.queue.finish import Ending
from gpugen_server.queue.lease import Held

_COLUMNS = f"lease, worker, {leases.COLUMNS}"
EXPIRED = "FROM tasks WHERE state = 'running' AND lease_until < ?"  # what there is to reap at a moment
_EXPIRED = f"SELECT {_COLUMNS} {EXPIRED} ORDER BY lease_until, num LIMIT 100"
_HELD = f"SELECT {_COLUMNS} FROM tasks WHERE state = 'running' AND worker = ? ORDER BY num"  # noqa: S608


def reap(store: Store) -> int:
    """End every lease that ran out; gives how many."""
    expired = store.rows(_EXPIRED + store.lock_free, store.now)
    for row in expired:
        held = _held(row)
        _end(store, held, "its worker fell silent")
        if held.worker:
            workers.note_failure(store, held.worker, held.task.num, "lost")
    return len(expired)


def take_back(store: Store, worker: str, why: str) -> None:
    """End every lease of `worker`, which is known to be gone; `why` is for those who wait."""
    for row in store.rows(_HELD + store.lock, worker):
        _end(store, _held(row), why)


def spare(store: Store, seconds: float) -> None:
    """Give every running task a fresh lease: while the server was down its worker could not renew it."""
    store.change(
        "UPDATE tasks SET lease_until = ? WHERE state = 'running' AND lease_until < ?",
        store.now + seconds,
        store.now + seconds,
    )


def _held(row: tuple[Any, ...]) -> Held:
    lease, worker, *rest = row
    return leases.held(lease, worker or "", rest)


def _end(store: Store, held: Held, why: str) -> None:
    if held.may_be_tried_again:
        finish.requeue(store, held, "lost", f"{why}; waiting for another")
    else:
        error = TaskFailure(
            code="poisoned",
            message=f"Its worker fell silent while drawing it, the last of {held.max_attempts} attempts.",
            hint="Look at the workers' logs: they may lack memory for it. Then retry it, or a smaller one.",
        )
        finish.end(store, held, Ending("failed", "lost", error.message, error))
