"""A worker's hold on a task: is it still the current one, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from gpugen_protocol.errors import LeaseLost
from gpugen_protocol.request import ResolvedRequest
from gpugen_server.database import Store
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import ids

MOST_RELEASES = 100  # of one task that do not count against it
RENEWED = 1 / 30  # of its length a lease must be old before it is renewed
_HELD = """
SELECT num, id, owner, attempt, released, max_attempts, lease_until, cancel, request,
  (SELECT count(*) FROM images WHERE task_num = num AND images.attempt = tasks.attempt),
  (SELECT failures FROM workers WHERE workers.id = worker)
FROM tasks
WHERE id = ? AND lease = ? AND worker = ? AND state = 'running'
"""


class _Count(Struct):
    """The part of a request that every end of a task is checked against."""

    n: int


class Held(NamedTuple):
    """A lease that is the current one, and its task.

    Attributes:
        drawn: how many of its images have arrived.
        failures: tasks in a row at which its worker has failed.
    """

    lease: str
    task: TaskKey
    attempt: int
    released: int
    max_attempts: int
    lease_until: float
    cancel: bool
    request: str
    drawn: int = 0
    failures: int = 0

    @property
    def images(self) -> int:
        """How many images the task asks for."""
        return msgspec.json.decode(self.request, type=_Count).n

    @property
    def resolved(self) -> ResolvedRequest:
        """What the task asks for."""
        return msgspec.json.decode(self.request, type=ResolvedRequest)

    @property
    def attempts_left(self) -> bool:
        """Whether the task may be tried once more.

        Attempts that were given back do not count, unless that goes on without end: a machine that is taken
        away again and again is no fault of the task, but one that a hundred machines could not finish keeps
        the hundred and first from others.
        """
        return self.attempt - min(self.released, MOST_RELEASES) < self.max_attempts


def hold(store: Store, lease: str, worker: str) -> Held:
    """The task `worker` holds by `lease`; nobody else changes it until this transaction ends.

    Raises:
        LeaseLost: the lease ended, or another attempt has begun.
    """
    found = store.row(
        _HELD + store.lock,
        ids.task_of(lease),
        lease,
        worker,
    )
    if found is None:
        raise LeaseLost(hint="Drop this attempt and claim anew.")
    return _held(lease, found)


def _held(lease: str, row: Sequence[Any]) -> Held:
    num, task, owner, attempt, released, max_attempts, until, cancel, request, drawn, failures = row
    key = TaskKey(num, task, owner)
    return Held(
        lease, key, attempt, released, max_attempts, until, bool(cancel), request, drawn, failures or 0
    )


def ended_as(store: Store, lease: str) -> str | None:
    """How `lease` was ended, if it was the last one of its task: for a post that is sent twice."""
    found = store.value(
        "SELECT ended_as FROM tasks WHERE id = ? AND ended_lease = ?", ids.task_of(lease), lease
    )
    return None if found is None else str(found)


def renew(store: Store, held: Held, seconds: float, progress: str | None = None) -> None:
    """Prolong the lease, and keep where the task stands.

    Each renewal is a write to the disk: one younger than RENEWED of the lease is left as it is.
    """
    if any(entry.seq for entry in store.outbox) or held.lease_until < store.now + seconds * (1 - RENEWED):
        store.change(
            "UPDATE tasks SET lease_until = ?, progress = coalesce(?, progress) WHERE num = ? AND lease = ?",
            store.now + seconds,
            progress,
            held.task.num,
            held.lease,
        )
