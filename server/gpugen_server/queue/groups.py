"""A group: tasks of one user that were sent under one name, followed and withdrawn as one."""

from __future__ import annotations

from typing import Any

import msgspec

from gpugen_protocol.clock import rfc3339
from gpugen_protocol.errors import NotFound
from gpugen_protocol.state import TERMINAL
from gpugen_protocol.task import Group, Progress
from gpugen_server.database import Store
from gpugen_server.queue import cancel, estimate, workers

_STATES = """
SELECT state, count(*), sum(work), min(created_at), max(finished_at) FROM tasks
WHERE group_name = ?{own} GROUP BY state
"""
_RUNNING = """
SELECT progress, work FROM tasks WHERE group_name = ?{own} AND state = 'running' AND progress IS NOT NULL
"""
_IMAGES = """
SELECT count(*) FROM images JOIN tasks ON num = task_num WHERE group_name = ?{own} AND state <> 'queued'
"""
_KINDS = """
SELECT model, width, height, max(memory), sum(work) FROM tasks
WHERE group_name = ?{own} AND state IN ('queued', 'running') GROUP BY model, width, height
"""
# The running ones first, as everywhere: a worker that ends its task and waits for the next one holds its own.
_OPEN = """
SELECT id FROM tasks WHERE group_name = ?{own} AND state IN ('queued', 'running') ORDER BY state DESC, num
"""


def get(store: Store, group: str, user: str | None, live_after: float) -> Group:
    """The group as it is now; `user` None: whoever's it is.

    Raises:
        NotFound: `user` has no task in such a group.
    """
    found = store.rows(*_own(_STATES, group, user))
    if not found:
        raise NotFound(f"There is no group {group}.", hint="A group is named by the tasks that belong to it.")
    counts = {state: int(count) for state, count, *_ in found}
    work = {state: float(amount) for state, _, amount, *_ in found}
    finished = counts.keys() <= TERMINAL
    return Group(
        id=group,
        tasks=counts,
        total=sum(counts.values()),
        finished=finished,
        fraction=round(_fraction(store, group, user, work), 4),
        images=int(store.value(*_own(_IMAGES, group, user))),
        eta_seconds=None if finished else _eta(store, group, user, live_after),
        created_at=rfc3339(min(created for *_, created, _ in found)),
        finished_at=rfc3339(max(ended for *_, ended in found)) if finished else None,
    )


def withdraw(store: Store, group: str, user: str | None) -> None:
    """Cancel every task of the group that is not finished, all or none.

    Raises:
        NotFound: `user` has no task in such a group.
    """
    if not store.rows(*_own(_STATES, group, user)):
        raise NotFound(f"There is no group {group}.", hint="A group is named by the tasks that belong to it.")
    for (task,) in store.rows(*_own(_OPEN, group, user)):
        cancel.cancel(store, task, user)


def _fraction(store: Store, group: str, user: str | None, work: dict[str, float]) -> float:
    """How much of the group's work is done: finished tasks whole, running ones by their steps."""
    done = sum(amount for state, amount in work.items() if state in TERMINAL)
    for text, steps in store.rows(*_own(_RUNNING, group, user)):
        at = msgspec.json.decode(text, type=Progress)
        done += min(float(steps), at.image * at.steps + at.step)
    return done / max(1.0, sum(work.values()))


def _eta(store: Store, group: str, user: str | None, live_after: float) -> float | None:
    """Its own work on the workers that are there; others' tasks in between are not foreseen."""
    kinds = store.rows(*_own(_KINDS, group, user))
    live = workers.live(store, live_after)
    seconds = 0.0
    for model, width, height, memory, work in kinds:
        able = sum(worker.serves(model, memory, width * height) for worker in live)
        speed = estimate.seconds_a_step(store, model, width, height)
        if speed is None or not able:
            return None
        seconds += speed * float(work) / able
    return round(seconds, 1)


def _own(sql: str, group: str, user: str | None) -> tuple[Any, ...]:
    """The statement for the tasks that `user` may see, and its parameters."""
    own = "" if user is None else " AND owner = ?"
    return (sql.format(own=own), group) if user is None else (sql.format(own=own), group, user)
