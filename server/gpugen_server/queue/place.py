"""What is before a task in the queue: exact up to a thousand tasks, and cheap however many wait."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from msgspec import Struct

from gpugen_server.database import Store

MAX_POSITION = 1000  # counting stops here, so that it stays cheap in a long queue
BEYOND = f">{MAX_POSITION}"

# Both read the index `tasks_queued` alone, which holds these columns for them.
_AHEAD = """
SELECT model, width, height, count(*), sum(work), min(num) FROM (
  SELECT model, width, height, work, num FROM tasks
  WHERE state = 'queued' AND (place, num) < (?, ?) ORDER BY place, num LIMIT ?
) AS ahead GROUP BY model, width, height
"""
_FRONT = """
SELECT num, model, width, height, work FROM tasks WHERE state = 'queued' ORDER BY place, num LIMIT ?
"""
_MEMORY = "SELECT num, memory FROM tasks WHERE num IN ({})"


class Kind(NamedTuple):
    """What decides how long a step of a task takes, and how much memory it needs."""

    model: str
    width: int
    height: int


class Load(NamedTuple):
    """Tasks of a kind: how many, the steps of all their images, and the number of one of them."""

    tasks: int
    work: int
    num: int


class Ahead(Struct, frozen=True):
    """The tasks before one.

    Attributes:
        beyond: whether there may be more than are counted.
    """

    loads: Mapping[Kind, Load]
    beyond: bool = False

    @property
    def position(self) -> int | None:
        """The place in the queue, from 1; None beyond those that are counted."""
        return None if self.beyond else 1 + sum(load.tasks for load in self.loads.values())


def ahead(store: Store, place: int, num: int) -> Ahead:
    """What is before the task `num` at `place`."""
    rows = store.once(_AHEAD, place, num, MAX_POSITION)
    loads = {Kind(*kind): Load(int(tasks), int(work), num) for *kind, tasks, work, num in rows}
    return Ahead(loads, beyond=sum(load.tasks for load in loads.values()) >= MAX_POSITION)


def all_ahead(store: Store, wanted: Collection[int]) -> dict[int, Ahead]:
    """What is before each task of `wanted` (by `num`) that waits, in one pass; beyond the front, nothing."""
    found: dict[int, Ahead] = dict.fromkeys(wanted, Ahead({}, beyond=True))
    passed: dict[Kind, list[int]] = {}
    for num, *kind, steps in store.rows(_FRONT, MAX_POSITION):
        if num in found:
            found[num] = Ahead({kind: Load(*load) for kind, load in passed.items()})
        load = passed.setdefault(Kind(*kind), [0, 0, num])
        load[0] += 1
        load[1] += steps
    return found


def memory(store: Store, ahead: Ahead) -> dict[Kind, int]:
    """The bytes that each kind of task in `ahead` needs; 0 where that is not known."""
    nums = [load.num for load in ahead.loads.values()]
    known = dict(store.once(_MEMORY.format(", ".join("?" * len(nums))), *nums)) if nums else {}
    return {kind: known.get(load.num, 0) for kind, load in ahead.loads.items()}
