"""Why a queued task waits, and for how many others."""

from __future__ import annotations

from gpugen_server.database import Store
from gpugen_server.queue import workers

MAX_POSITION = 1000  # counting stops here, so that it stays cheap in a long queue
BEYOND = f">{MAX_POSITION}"

_BEFORE = """
SELECT count(*) FROM (
  SELECT 1 FROM tasks WHERE state = 'queued' AND (place, num) < (?, ?) ORDER BY place, num LIMIT ?
) AS before
"""


def position(store: Store, place: int, num: int) -> int | None:
    """The place in the queue, from 1, of the task `num` at `place`; None beyond those that are counted."""
    before = int(store.value(_BEFORE, place, num, MAX_POSITION))
    return before + 1 if before < MAX_POSITION else None


def positions(store: Store) -> dict[int, int]:
    """The place in the queue, from 1, of the first tasks (by `num`)."""
    front = store.rows(
        "SELECT num FROM tasks WHERE state = 'queued' ORDER BY place, num LIMIT ?", MAX_POSITION
    )
    return {num: place for place, (num,) in enumerate(front, start=1)}


def text(store: Store, model: str, live_after: float, position: int | None) -> str:
    """One sentence on what a task for `model` waits for.

    Workers seen since `live_after` (seconds since the epoch) count as there; `position` is its place in the
    queue, None beyond the places that are counted.
    """
    live = workers.live(store, live_after)
    if not live:
        return "waiting for a worker"
    if not any(worker.serves(model) for worker in live):
        return f"waiting for a worker that has the model {model}"
    if position is None:
        return f"more than {MAX_POSITION:,} tasks before yours"
    if position > 1:
        return f"{position - 1} task{'s' if position > 2 else ''} before yours"
    return "next in line"
