"""How long a task will take, from how long such tasks took lately; None where nothing is known."""

from __future__ import annotations

from statistics import median

from gpugen_protocol.request import ResolvedRequest
from gpugen_server.database import Store
from gpugen_server.queue import workers

_RECENT = 20  # finished tasks that the median is taken of


def usual_seconds(store: Store, request: ResolvedRequest) -> float | None:
    """From claim to the last image: the median of recent tasks of this model and size, per step and image."""
    found = store.rows(
        "SELECT finished_at - started_at, json_extract(request, '$.n') * json_extract(request, '$.steps')"
        " FROM tasks WHERE state = 'succeeded' AND model = ? AND width = ? AND height = ?"
        " ORDER BY num DESC LIMIT ?",
        request.model,
        request.width,
        request.height,
        _RECENT,
    )
    if not found:
        return None
    per_step: float = median(seconds / steps for seconds, steps in found)
    return per_step * request.n * request.steps


def queued_seconds(
    store: Store, usual: float | None, position: int | None, live_after: float
) -> float | None:
    """Until a queued task is done, if those before it take as long as it does; None without workers."""
    live = len(workers.live(store, live_after))
    if usual is None or position is None or not live:
        return None
    return round(usual * (1 + (position - 1) / live), 1)
