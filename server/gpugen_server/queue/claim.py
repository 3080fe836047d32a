"""Hand the next ready tasks to one worker, atomically."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gpugen_protocol.events import StateEvent
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.worker import Lease, WorkerTask
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import reap, workers

# Priority first, then the order of arrival. The attempt number grows here, at the claim, so that a worker
# that dies without a word has still used up an attempt.
_CLAIM = """
UPDATE tasks SET
  state = 'running', phase = 'starting', phase_text = '{handed}', progress = NULL,
  attempt = attempt + 1, lease = id || '-' || (attempt + 1) || '-' || ?, lease_until = ?,
  worker = ?, started_at = ?
WHERE num = (
  SELECT num FROM tasks WHERE state = 'queued' {models} ORDER BY priority DESC, num LIMIT 1
)
RETURNING num, id, user, request, attempt, max_attempts, lease
"""
_HANDED = "handed to a worker"  # what a task says until its worker has said anything
# The answer to a claim can get lost: the worker that asks again gets what it does not know it has. The lease
# is not prolonged, so that a task on which a worker always stumbles goes on to its next attempt.
_AGAIN = """
SELECT num, id, user, request, attempt, max_attempts, lease, lease_until FROM tasks
WHERE state = 'running' AND worker = ? AND phase = 'starting' AND phase_text = ?
  AND progress IS NULL AND cancel = 0 ORDER BY num LIMIT ?
"""


class Claimer(Struct, frozen=True, kw_only=True):
    """Who asks for work.

    Attributes:
        models: what it can draw with; empty: what its session said, and if that is empty too, anything.
        lease_seconds: for how long it may work without a word.
    """

    worker: str
    models: tuple[str, ...]
    count: int
    lease_seconds: float


def claim(store: Store, claimer: Claimer) -> tuple[Lease, ...]:
    """Up to `claimer.count` leases, in the order of the queue; what silent workers held is back in it.

    A worker that has said nothing yet about leases of its own gets those again, and no others.
    """
    reap.reap(store)
    workers.touch(store, claimer.worker)
    models = claimer.models or workers.models_of(store, claimer.worker)
    again = store.rows(_AGAIN, claimer.worker, _HANDED, claimer.count)
    leases = [_lease(row, until - store.now) for *row, until in again]
    while not again and len(leases) < claimer.count:
        lease = _claim_one(store, claimer, models)
        if lease is None:
            break
        leases.append(lease)
    return tuple(leases)


def _claim_one(store: Store, claimer: Claimer, models: tuple[str, ...]) -> Lease | None:
    some = f"AND model IN ({', '.join('?' * len(models))})" if models else ""
    found = store.row(
        _CLAIM.format(models=some, handed=_HANDED),
        secrets.token_hex(10),
        store.now + claimer.lease_seconds,
        claimer.worker,
        store.now,
        *models,
    )
    if found is None:
        return None
    log.append(store, TaskKey(*found[:3]), StateEvent, state="running")
    return _lease(found, claimer.lease_seconds)


def _lease(row: Sequence[Any], seconds: float) -> Lease:
    _, task, _, request, attempt, max_attempts, lease = row
    return Lease(
        id=lease,
        expires_in=seconds,
        task=WorkerTask(
            id=task,
            request=msgspec.json.decode(request, type=ResolvedRequest),
            attempt=attempt,
            max_attempts=max_attempts,
        ),
    )
