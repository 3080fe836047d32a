"""What is before a task in the queue: exact up to a thousand tasks, and cheap however many wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from msgspec import Struct

from gpugen_server.database import Store

MAX_POSITION = 1000  # counting stops here, so that it stays cheap in a long queue
BEYOND = f">{MAX_POSITION}"

# Both read the index `tasks_queued` alone, which holds these columns for them.
_AHEAD = """
SELECT model, width, height, count(*), sum(work) FROM (
  SELECT model, width, height, work FROM tasks
  WHERE state = 'queued' AND (place, num) < (?, ?) ORDER BY place, num LIMIT ?
) AS ahead GROUP BY model, width, height
"""
_FRONT = """
SELECT num, model, width, height, work FROM tasks WHERE state = 'queued' ORDER BY place, num LIMIT ?
"""


class Kind(NamedTuple):
    """What decides how long a step of a task takes."""

    model: str
    width: int
    height: int


class Ahead(Struct, frozen=True):
    """The tasks before one.

    Attributes:
        tasks: how many; MAX_POSITION stands for more as well.
        work: steps of all their images.
    """

    tasks: int
    work: Mapping[Kind, int]

    @property
    def position(self) -> int | None:
        """The place in the queue, from 1; None beyond those that are counted."""
        return self.tasks + 1 if self.tasks < MAX_POSITION else None


def ahead(store: Store, place: int, num: int) -> Ahead:
    """What is before the task `num` at `place`."""
    rows = store.once(_AHEAD, place, num, MAX_POSITION)
    return Ahead(
        sum(int(tasks) for *_, tasks, _ in rows), {Kind(*kind): int(work) for *kind, _, work in rows}
    )


def all_ahead(store: Store, wanted: Collection[int]) -> dict[int, Ahead]:
    """What is before each task of `wanted` (by `num`) that waits, in one pass; beyond the front, nothing."""
    found: dict[int, Ahead] = dict.fromkeys(wanted, Ahead(MAX_POSITION, {}))
    work: Counter[Kind] = Counter()
    for tasks, (num, *kind, steps) in enumerate(store.rows(_FRONT, MAX_POSITION)):
        if num in found:
            found[num] = Ahead(tasks, dict(work))
        work[Kind(*kind)] += steps
    return found
