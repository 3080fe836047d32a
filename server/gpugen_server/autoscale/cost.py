"""What machines have cost, by the prices they were asked for at: an estimate, never an invoice."""

from __future__ import annotations

import time

from gpugen_protocol.health import Cost
from gpugen_server.database import Database, Store

DAY = 86_400.0
HOUR = 3600.0
REMEMBERED = (
    10.0  # seconds for which a summary is good enough: it counts the day's tasks, and pages ask often
)

_THERE = "up_at IS NOT NULL AND hourly > 0 AND (ended_at IS NULL OR ended_at > ?)"
_SPANS = f"SELECT hourly, up_at, coalesce(ended_at, ?) FROM machines WHERE {_THERE}"  # noqa: S608
_DRAWN = f"""
SELECT count(*) FROM tasks WHERE state = 'succeeded' AND finished_at >= ?
AND worker IN (SELECT worker FROM machines WHERE {_THERE})
"""  # noqa: S608


def today(store: Store) -> float:
    """What the machines have cost since midnight, UTC."""
    midnight = store.now - store.now % DAY
    spans = store.rows(_SPANS, store.now, midnight)
    return float(sum(hourly * (until - max(since, midnight)) / HOUR for hourly, since, until in spans))


def summary(store: Store, limit: float | None) -> Cost:
    """The cost of today, of a task of today, and the limit of a day."""
    midnight = store.now - store.now % DAY
    spent = today(store)
    drawn = store.value(_DRAWN, midnight, midnight) if spent else 0
    return Cost(
        today=round(spent, 4),
        per_task=round(spent / drawn, 5) if drawn else None,
        limit_per_day=limit,
    )


class Costs:
    """The summary for whoever asks, made now and then. `limit` in dollars a day; 0: there is none."""

    def __init__(self, database: Database, limit: float) -> None:
        self._database = database
        self._limit = limit or None
        self._known = Cost()
        self._until = 0.0

    async def now(self) -> Cost:
        """As `summary`, not older than REMEMBERED."""
        if time.monotonic() >= self._until:
            self._known = await self._database.run(summary, self._limit)
            self._until = time.monotonic() + REMEMBERED
        return self._known
