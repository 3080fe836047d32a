"""The machines this server has asked for, from the wish to the end. A row is written before any call.

So a server that is killed at any moment finds in its rows everything that may exist: what it wished for and
may not have asked for yet is asked for again under the same name.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from gpugen_server import tokens
from gpugen_server.autoscale.machine import Machine
from gpugen_server.autoscale.provider import WORKER_USER, Choice
from gpugen_server.database import Store
from gpugen_server.queue import ids, reap, workers

KEPT_SECONDS = 90 * 86400.0  # for which a machine that ended is still known, for its costs
_BUSY_NOTED = 10.0  # seconds between two notes that a machine is of use
_SILENT_SECONDS = 600.0  # after which a worker whose machine nobody looks after is gone
_COLUMNS = ", ".join(Machine._fields)
_INTEND = """
INSERT INTO machines
  (id, name, provider, place, text, hourly, created_at, operation, leaving, reason, failed)
VALUES (?, ?, ?, ?, ?, ?, ?, '', '', '', 0)
"""
_PRESENT = f"""
SELECT {_COLUMNS} FROM machines WHERE ended_at IS NULL AND provider = ? ORDER BY id
"""  # noqa: S608
_WHOSE = "SELECT worker FROM machines WHERE id = ?"
_SHOW_WORKERS = """
SELECT machines.id, seen_at, EXISTS (
  SELECT 1 FROM tasks WHERE state = 'running' AND tasks.worker = machines.worker
), coalesce(set_aside_until, 0)
FROM machines JOIN workers ON workers.id = machines.worker WHERE ended_at IS NULL AND provider = ?
"""
_LATEST = """
SELECT failed, ended_at, reason, worker FROM machines
WHERE ended_at IS NOT NULL AND provider = ? AND asked_at IS NOT NULL
ORDER BY ended_at DESC LIMIT 20
"""
_FORSAKEN = """
SELECT id, created_at FROM machines WHERE ended_at IS NULL AND provider != ? AND created_at < ?
AND NOT EXISTS (SELECT 1 FROM workers WHERE workers.id = machines.worker AND seen_at > ?)
"""


class Failures(NamedTuple):
    """How many machines in a row were of no use, when the last of them ended, and how.

    One whose worker had come does not count if no failure was before it: spot machines are taken back.
    """

    in_a_row: int = 0
    last: float = 0.0
    reason: str = ""


def intend(store: Store, provider: str, choice: Choice) -> Machine:
    """A new machine, not yet asked for."""
    store.change("DELETE FROM machines WHERE ended_at < ?", store.now - KEPT_SECONDS)
    id = ids.ulid()
    name = choice.reuse or f"gpugen-{id}"
    store.change(_INTEND, id, name, provider, choice.place, choice.text, choice.hourly, store.now)
    return Machine(id, name, choice.place, choice.text, hourly=choice.hourly, created_at=store.now)


def new_token(store: Store, machine: Machine) -> str:
    """The text of a token with which the worker of `machine`, and no other, can introduce itself.

    Those it was given before hold as well: nobody knows which of them has reached it.
    """
    name = f"machine {machine.name}"
    return tokens.create(store, "worker", WORKER_USER, name, uses_left=1, machine=machine.id).token


def asked(store: Store, id: str, operation: str = "") -> None:
    """The provider was asked for it."""
    store.change("UPDATE machines SET asked_at = ?, operation = ? WHERE id = ?", store.now, operation, id)


def settled(store: Store, id: str) -> None:
    """What the provider was asked is done."""
    store.change("UPDATE machines SET operation = '' WHERE id = ?", id)


def up(store: Store, id: str) -> None:
    """It is there."""
    store.change("UPDATE machines SET up_at = coalesce(up_at, ?) WHERE id = ?", store.now, id)


def leave(store: Store, machine: Machine, why: str, even_if_busy: bool) -> bool:
    """It is asked to go, and its worker gets nothing any more; gives whether that is so.

    Not if a task has just come to it, unless it must go `even_if_busy`.
    """
    worker = store.value(_WHOSE + store.lock, machine.id)  # it may have come since `machine` was read
    if worker is not None:
        if not even_if_busy and workers.is_busy(store, worker):
            return False
        workers.drain(store, worker)
    store.change("UPDATE machines SET leaving = ? WHERE id = ? AND leaving = ''", why, machine.id)
    return True


def end(store: Store, machine: Machine, reason: str, failed: bool = False) -> None:
    """It is gone: its tokens end, and what its worker held waits again at once."""
    worker = store.value(
        "UPDATE machines SET ended_at = ?, reason = ?, failed = ?, operation = ''"
        " WHERE id = ? AND ended_at IS NULL RETURNING worker",
        store.now,
        reason[:500],
        int(failed),
        machine.id,
    )
    store.change("DELETE FROM tokens WHERE machine = ?", machine.id)  # sessions end with what opened them
    if worker is not None:
        store.change("UPDATE workers SET seen_at = 0 WHERE id = ?", worker)
        reap.take_back(store, worker, "its machine has ended")


def write_off(store: Store, looked_after: str, longest: float) -> None:
    """End the rows of other providers than `looked_after` that are older than `longest` seconds and silent.

    Nobody looks after them since the server was given another provider; the cloud has ended them by then.
    """
    gone = store.rows(_FORSAKEN, looked_after, store.now - longest, store.now - _SILENT_SECONDS)
    for id, created_at in gone:
        store.change(
            "UPDATE machines SET ended_at = ?, reason = ?, operation = '' WHERE id = ?",
            created_at + longest,
            "nobody looked after it any more",
            id,
        )
        store.change("DELETE FROM tokens WHERE machine = ?", id)


def has_drawn(store: Store, machine: Machine) -> bool:
    """Whether the worker of `machine` has done a task."""
    return bool(
        store.value(
            "SELECT EXISTS"
            " (SELECT 1 FROM tasks WHERE finished_at >= ? AND worker = ? AND state = 'succeeded')",
            machine.created_at,
            machine.worker,
        )
    )


def serve(store: Store, token: str, worker: str) -> None:
    """Worker `worker` introduced itself with `token` (its id); nothing happens for tokens of others.

    A machine may have the name of one before it; what that one's worker failed at is not held against it:
    it may have come to do better, and if it crashes as well, the next one comes after a pause.
    """
    leaving = store.value(
        "UPDATE machines SET worker = ?, busy_at = ?, asked_at = coalesce(asked_at, ?)"
        " WHERE id = (SELECT machine FROM tokens WHERE id = ?) AND ended_at IS NULL RETURNING leaving",
        worker,
        store.now,
        store.now,
        token,
    )
    if leaving is not None:
        workers.forgive(store, worker)
    if leaving:
        workers.drain(store, worker)


def note_busy(store: Store) -> None:
    """Keep in mind which machines' workers are at work now."""
    store.change(
        "UPDATE machines SET busy_at = ? WHERE ended_at IS NULL AND busy_at < ? AND worker IN"
        " (SELECT worker FROM tasks WHERE state = 'running')",
        store.now,
        store.now - _BUSY_NOTED,
    )


def present(store: Store, provider: str) -> list[Machine]:
    """Every machine of `provider` that has not ended, the oldest first."""
    return [Machine(*row) for row in store.rows(_PRESENT, provider)]


def with_workers(
    store: Store, provider: str, another_at: float
) -> tuple[dict[str, float], set[str], set[str]]:
    """When each machine's worker was heard of (seconds since the epoch), the ids of the machines whose worker
    is at work, and of those whose worker is set aside until after `another_at`.
    """
    found = store.rows(_SHOW_WORKERS, provider)
    heard = {id: seen for id, seen, *_ in found}
    busy = {id for id, _, busy, _ in found if busy}
    return heard, busy, {id for id, *_, until in found if until > another_at}


def failures(store: Store, provider: str) -> Failures:
    """The machines that failed since the last one that did not, or at most the last 20."""
    latest: list[Any] = store.rows(_LATEST, provider)
    row = list(itertools.takewhile(lambda machine: machine[0], latest))
    if not row:
        return Failures()
    (_, last, reason, _), (*_, first_worker) = row[0], row[-1]
    return Failures(len(row) - (first_worker is not None), last, reason)
