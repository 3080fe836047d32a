"""Hand the next ready tasks to one worker, atomically."""

from __future__ import annotations

import os
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
from gpugen_server.queue import order, reap, workers
from gpugen_server.queue.order import Front
from gpugen_server.queue.workers import Ability

_HEAD = """
SELECT num, model, priority, passed_at FROM tasks WHERE state = 'queued'{fits} ORDER BY place, num LIMIT 1
"""
_FOR_THE_LOADED = """
SELECT num FROM tasks WHERE state = 'queued' AND model IN ({loaded}) AND priority >= ? AND num IN (
  SELECT num FROM tasks WHERE state = 'queued'{fits} ORDER BY place, num LIMIT {most}
) ORDER BY place, num LIMIT 1
"""
_HANDED = "handed to a worker"  # what a task says until its worker has said anything
# The attempt number grows here, at the claim, so that a worker that dies without a word has still used up an
# attempt. The same statement takes the number of the event that tells of it.
_CLAIM = f"""
UPDATE tasks SET
  state = 'running', phase = 'starting', phase_text = '{_HANDED}', progress = NULL,
  attempt = attempt + 1, lease = id || '-' || (attempt + 1) || '-' || ?, lease_until = ?,
  worker = ?, started_at = ?, last_seq = last_seq + 1
WHERE num = ? AND state = 'queued'
RETURNING last_seq, num, id, owner, request, attempt, max_attempts, lease
"""  # noqa: S608
# The answer to a claim can get lost: the worker that asks again gets what it does not know it has. The lease
# is not prolonged, so that a task on which a worker always stumbles goes on to its next attempt.
_AGAIN = """
SELECT num, id, owner, request, attempt, max_attempts, lease, lease_until FROM tasks
WHERE state = 'running' AND worker = ? AND phase = 'starting' AND phase_text = ?
  AND progress IS NULL AND cancel = 0 ORDER BY num LIMIT ?
"""


class Claimer(Struct, frozen=True, kw_only=True):
    """Who asks for work.

    Attributes:
        models: what it can draw with; empty: what its session said, and if that is empty too, anything.
        loaded: the models it need not load.
        lease_seconds: for how long it may work without a word.
        longest_pass: seconds for which a task may be passed over for the sake of `loaded`.
    """

    worker: str
    models: tuple[str, ...]
    count: int
    lease_seconds: float
    loaded: tuple[str, ...] = ()
    longest_pass: float = 60.0


def claim(store: Store, claimer: Claimer) -> tuple[Lease, ...]:
    """Up to `claimer.count` leases, in the order of the queue; what silent workers held is back in it.

    A worker that has said nothing yet about leases of its own gets those again, and no others.
    """
    reap.reap(store)
    ability = workers.ability(store, claimer.worker)
    if ability.set_aside(store.now):
        return ()
    again = store.rows(_AGAIN, claimer.worker, _HANDED, claimer.count)
    leases = [_lease(row, until - store.now) for *row, until in again]
    while not again and len(leases) < claimer.count:
        lease = _claim_one(store, claimer, ability)
        if lease is None:
            break
        leases.append(lease)
    return tuple(leases)


def _claim_one(store: Store, claimer: Claimer, ability: Ability) -> Lease | None:
    fits, needs = ability.fits(claimer.models)
    head = store.first_free(_HEAD.format(fits=fits), *needs)
    if head is None:
        return None
    num = _choose(store, claimer, Front(*head), fits, needs)
    found = store.row(
        _CLAIM,
        os.urandom(10).hex(),
        store.now + claimer.lease_seconds,
        claimer.worker,
        store.now,
        num,
    )
    if found is None:
        return None
    seq, *row = found
    log.write(store, TaskKey(*row[:3]), seq, StateEvent, state="running")
    return _lease(row, claimer.lease_seconds)


def _choose(store: Store, claimer: Claimer, head: Front, fits: str, needs: Sequence[Any]) -> int:
    """The head of the queue, or a task close behind it that the worker has the model for."""
    if not order.may_wait(head, claimer.loaded, store.now, claimer.longest_pass):
        return head.num
    marks = ", ".join("?" * len(claimer.loaded))
    preferred = store.value(
        _FOR_THE_LOADED.format(loaded=marks, fits=fits, most=order.LOOK_AHEAD) + store.lock_free,
        *claimer.loaded,
        head.priority,
        *needs,
    )
    if preferred is None:
        return head.num
    if head.passed_at is None:
        store.change("UPDATE tasks SET passed_at = ? WHERE num = ?", store.now, head.num)
    return int(preferred)


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
