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
DROP = "Drop this attempt and claim anew."  # what to do once a lease is lost
RENEWED = 1 / 30  # of its length a lease must be old before it is renewed
COLUMNS = "num, id, owner, attempt, released, max_attempts, lease_until, cancel, request"
_HELD = f"""
SELECT {COLUMNS} FROM tasks WHERE id = ? AND lease = ? AND worker = ? AND state = 'running'
"""  # noqa: S608


class _Count(Struct):
    """The part of a request that every end of a task is checked against."""

    n: int


_count = msgspec.json.Decoder(_Count).decode


class Held(NamedTuple):
    """A lease that is the current one, and its task.

    Attributes:
        worker: who holds it; empty if its token was revoked.
    """

    lease: str
    worker: str
    task: TaskKey
    attempt: int
    released: int
    max_attempts: int
    lease_until: float
    cancel: bool
    request: str

    @property
    def images(self) -> int:
        """How many images the task asks for."""
        return images(self.request)

    @property
    def resolved(self) -> ResolvedRequest:
        """What the task asks for."""
        return msgspec.json.decode(self.request, type=ResolvedRequest)

    @property
    def may_be_tried_again(self) -> bool:
        """Whether the task may go back into the queue: it has attempts left, and nobody asked it to stop.

        Attempts that were given back do not count, unless that goes on without end: a machine that is taken
        away again and again is no fault of the task, but one that a hundred machines could not finish keeps
        the hundred and first from others.
        """
        used = self.attempt - min(self.released, MOST_RELEASES)
        return used < self.max_attempts and not self.cancel


def images(request: str) -> int:
    """How many images a task with `request` asks for."""
    return _count(request).n


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
        raise LeaseLost(hint=DROP)
    return held(lease, worker, found)


def held(lease: str, worker: str, row: Sequence[Any]) -> Held:
    """The lease whose task has COLUMNS like `row`."""
    num, task, owner, attempt, released, max_attempts, until, cancel, request = row
    key = TaskKey(num, task, owner)
    return Held(lease, worker, key, attempt, released, max_attempts, until, bool(cancel), request)


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
