"""How long a task will take, from how long such tasks took lately; None where nothing is known."""

from __future__ import annotations

from statistics import median

from gpugen_server.database import Store
from gpugen_server.queue.place import Ahead

_RECENT = 20  # finished tasks that the median is taken of
_SPEEDS = """
SELECT (finished_at - started_at) / work FROM tasks
WHERE state = 'succeeded' AND model = ? AND width = ? AND height = ? ORDER BY num DESC LIMIT ?
"""


def seconds_a_step(store: Store, model: str, width: int, height: int) -> float | None:
    """The median of recent tasks of this model and size, from claim to the last image, per step and image."""
    found = store.once(_SPEEDS, model, width, height, _RECENT)
    return median([speed for (speed,) in found]) if found else None


def usual_seconds(store: Store, model: str, width: int, height: int, work: int) -> float | None:
    """How long a task of so much work (steps of all its images) takes from its claim on."""
    speed = seconds_a_step(store, model, width, height)
    return None if speed is None else speed * work


def queued_seconds(store: Store, usual: float | None, ahead: Ahead, able: int) -> float | None:
    """Until a queued task is done: what is before it, shared by the `able` workers, and then itself.

    None without such workers, where a speed is not known, or too far behind.
    """
    if usual is None or not able or ahead.position is None:
        return None
    speeds = {kind: seconds_a_step(store, *kind) for kind in ahead.loads}
    if any(speed is None for speed in speeds.values()):
        return None
    before = sum(load.work * (speeds[kind] or 0.0) for kind, load in ahead.loads.items())
    return round(usual + before / able, 1)
