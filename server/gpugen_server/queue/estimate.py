"""How long a task will take, from how long such tasks took lately; None where nothing is known."""

from __future__ import annotations

from statistics import median

from gpugen_server.database import Store
from gpugen_server.queue import workers
from gpugen_server.queue.place import MAX_POSITION

_RECENT = 20  # finished tasks that the median is taken of
_SPEEDS = """
SELECT finished_at - started_at, work FROM tasks
WHERE state = 'succeeded' AND model = ? AND width = ? AND height = ? ORDER BY num DESC LIMIT ?
"""
_AHEAD = """
SELECT model, width, height, sum(work) FROM (
  SELECT model, width, height, work FROM tasks
  WHERE state = 'queued' AND (place, num) < (?, ?) ORDER BY place, num LIMIT ?
) AS ahead GROUP BY model, width, height
"""


def seconds_a_step(store: Store, model: str, width: int, height: int) -> float | None:
    """The median of recent tasks of this model and size, from claim to the last image, per step and image."""
    found = store.rows(_SPEEDS, model, width, height, _RECENT)
    return median(seconds / max(1, work) for seconds, work in found) if found else None


def usual_seconds(store: Store, model: str, width: int, height: int, work: int) -> float | None:
    """How long a task of so much work (steps of all its images) takes from its claim on."""
    speed = seconds_a_step(store, model, width, height)
    return None if speed is None else speed * work


def queued_seconds(
    store: Store, usual: float | None, at: tuple[int, int], model: str, live_after: float
) -> float | None:
    """Until a queued task is done: what is before it, shared by the workers that serve it, and then itself.

    `at` is its place and number. None without such workers, where a speed is not known, or too far behind.
    """
    able = sum(worker.serves(model) for worker in workers.live(store, live_after))
    if usual is None or not able:
        return None
    ahead = store.rows(_AHEAD, *at, MAX_POSITION)
    speeds = [seconds_a_step(store, *kind) for *kind, _ in ahead]
    if any(speed is None for speed in speeds):
        return None
    before = sum(float(work) * (speed or 0.0) for (*_, work), speed in zip(ahead, speeds, strict=True))
    return round(usual + before / able, 1)
