"""How many tasks are before one in the queue: exact up to a thousand, and cheap however many wait."""

from __future__ import annotations

from gpugen_server.database import Store

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
