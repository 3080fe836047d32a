"""Hand the next ready tasks to one worker, atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from gpugen_protocol.events import StateEvent
from gpugen_protocol.worker import Lease, WorkerTask
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import order, reap, workers
from gpugen_server.queue.order import Front
from gpugen_server.queue.workers import Ability

Row = tuple[Any, ...]
_FRONT = "FROM tasks WHERE state = 'queued'{fits} ORDER BY place, num LIMIT 1{lock}"
_HEAD = f"SELECT num, model, priority, passed_at {_FRONT}"
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
WHERE num = {{which}} AND state = 'queued'
RETURNING last_seq, num, id, owner, request, attempt, max_attempts, lease
"""  # noqa: S608
_CLAIM_HEAD = _CLAIM.format(which=f"(SELECT num {_FRONT})")
_CLAIM_ONE = _CLAIM.format(which="?")
# The answer to a claim can get lost: the worker that asks again gets what it does not know it has. The lease
# is not prolonged, so that a task on which a worker always stumbles goes on to its next attempt.
_UNHEARD = """
FROM tasks WHERE state = 'running' AND worker = ? AND phase = 'starting' AND phase_text = ?
  AND progress IS NULL AND cancel = 0
"""
_AGAIN = f"""
SELECT num, id, owner, request, attempt, max_attempts, lease, lease_until {_UNHEARD} ORDER BY num LIMIT ?
"""
# Most claims find nothing to take back and nothing to hand out again: one look tells.
_LOOK = f"""
SELECT EXISTS (SELECT 1 {reap.EXPIRED}), EXISTS (SELECT 1 {_UNHEARD}), {workers.ABILITY}
FROM (SELECT 1) AS always LEFT JOIN workers ON workers.id = ?
"""  # noqa: S608


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


class HandedTask(WorkerTask, frozen=True, kw_only=True):
    """A task whose request goes on as it was stored: as JSON that was checked when it came in."""

    request: msgspec.Raw  # type: ignore[assignment]


class Look(Struct, frozen=True):
    """What there is to know before a claim.

    Attributes:
        expired: whether leases ran out.
        unheard: whether the worker has said nothing yet about a lease of its own.
    """

    expired: bool
    unheard: bool
    ability: Ability


def claim(store: Store, claimer: Claimer) -> tuple[Lease, ...]:
    """Up to `claimer.count` leases, in the order of the queue; what silent workers held is back in it.

    A worker that has said nothing yet about leases of its own gets those again, and no others.
    """
    look = _look(store, claimer)
    if look.expired:
        reap.reap(store)
        look = _look(store, claimer)  # one of them may have been its own
    if look.ability.set_aside(store.now):
        return ()
    if look.unheard:
        again = store.rows(_AGAIN, claimer.worker, _HANDED, claimer.count)
        return tuple(_lease(row, until - store.now) for *row, until in again)
    return tuple(_claim_some(store, claimer, look.ability))


def _look(store: Store, claimer: Claimer) -> Look:
    ((expired, unheard, *known),) = store.rows(_LOOK, store.now, claimer.worker, _HANDED, claimer.worker)
    return Look(expired, unheard, workers.known(store, claimer.worker, known))


def _claim_some(store: Store, claimer: Claimer, ability: Ability) -> Iterator[Lease]:
    wanted = claimer.models or ability.models
    fits, needs = ability.fits(wanted)
    take = _take_the_best if order.may_prefer(claimer.loaded, wanted) else _take_the_head
    for _ in range(claimer.count):
        found = take(store, claimer, fits, needs)
        if found is None:
            return
        seq, *row = found
        num, task, owner = row[:3]
        event = StateEvent(task=task, at=store.at, seq=seq, state="running")
        log.write(store, TaskKey(num, task, owner), event)
        yield _lease(row, claimer.lease_seconds)


def _take_the_head(store: Store, claimer: Claimer, fits: str, needs: Sequence[Any]) -> Row | None:
    return store.first_free(lambda lock: _filled(_CLAIM_HEAD, fits, lock), *_terms(store, claimer), *needs)


def _take_the_best(store: Store, claimer: Claimer, fits: str, needs: Sequence[Any]) -> Row | None:
    head = store.first_free(lambda lock: _filled(_HEAD, fits, lock), *needs)
    if head is None:
        return None
    num = _choose(store, claimer, Front(*head), fits, needs)
    return store.row(_CLAIM_ONE, *_terms(store, claimer), num)


@lru_cache(maxsize=256)
def _filled(sql: str, fits: str, lock: str) -> str:
    """Workers are many, and what they can serve is of few kinds."""
    return sql.format(fits=fits, lock=lock)


def _terms(store: Store, claimer: Claimer) -> Row:
    """What a claim writes down: the secret of the lease, its end, its holder, and since when."""
    return os.urandom(10).hex(), store.now + claimer.lease_seconds, claimer.worker, store.now


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
        task=HandedTask(id=task, request=msgspec.Raw(request), attempt=attempt, max_attempts=max_attempts),
    )
