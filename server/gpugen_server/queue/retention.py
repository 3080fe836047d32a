"""Forget what is old or too much: finished tasks with their images, and the events of those that are kept."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gpugen_protocol.state import State
from gpugen_server.database import Store
from gpugen_server.queue.remove import forget

BATCH = 200  # tasks in one transaction: nobody waits for long

_OLD = """
SELECT num FROM tasks WHERE finished_at IS NOT NULL AND finished_at < ? AND state IN ({states})
ORDER BY finished_at LIMIT ?
"""
_OLDEST_WITH_IMAGES = """
SELECT num, sum(bytes) FROM tasks JOIN images ON task_num = num
WHERE finished_at IS NOT NULL GROUP BY num, finished_at ORDER BY finished_at LIMIT ?
"""
_WITH_EVENTS = """
SELECT num, last_seq FROM tasks WHERE finished_at IS NOT NULL AND finished_at < ? AND pruned < last_seq - 1
ORDER BY finished_at LIMIT ?
"""


class Policy(Struct, frozen=True, kw_only=True):
    """How long to keep what, in seconds; 0: for ever.

    Attributes:
        failed: failed and canceled tasks.
        succeeded: tasks with their images.
        events: the story of a finished task; its end is kept as long as the task.
        image_bytes: all images together; beyond that the oldest finished tasks go. 0: any amount.
    """

    failed: float = 0.0
    succeeded: float = 0.0
    events: float = 0.0
    image_bytes: int = 0


def prune(store: Store, policy: Policy) -> tuple[list[str], bool]:
    """Forget one batch; gives the files that nobody needs any more, and whether there may be more of it."""
    gone: list[int] = []
    if policy.failed:
        gone += _old(store, policy.failed, ("failed", "canceled"))
    if policy.succeeded:
        gone += _old(store, policy.succeeded, ("succeeded",))
    files = [file for num in gone for file in forget(store, num)]
    too_many = _beyond(store, policy.image_bytes) if policy.image_bytes else []
    files += [file for num in too_many for file in forget(store, num)]
    told = _prune_events(store, policy.events) if policy.events else 0
    return files, max(len(gone), len(too_many), told) >= BATCH


def _old(store: Store, seconds: float, states: Sequence[State]) -> list[int]:
    marks = ", ".join("?" * len(states))
    found = store.rows(_OLD.format(states=marks) + store.lock_free, store.now - seconds, *states, BATCH)
    return [num for (num,) in found]


def _beyond(store: Store, limit: int) -> list[int]:
    """The oldest finished tasks whose images must go so that the rest fits."""
    surplus = int(store.value("SELECT coalesce(sum(bytes), 0) FROM images")) - limit
    if surplus <= 0:
        return []
    found: list[int] = []
    for num, size in store.rows(_OLDEST_WITH_IMAGES, BATCH):
        if surplus <= 0:
            break
        found.append(num)
        surplus -= int(size)
    return found


def _prune_events(store: Store, seconds: float) -> int:
    """All but the last event, which tells the end; watchers of the others are told of a gap."""
    found = store.rows(_WITH_EVENTS + store.lock_free, store.now - seconds, BATCH)
    for num, last in found:
        store.change("DELETE FROM events WHERE task_num = ? AND seq < ?", num, last)
        store.change("UPDATE tasks SET pruned = ? WHERE num = ?", last - 1, num)
    return len(found)
