"""When a private server is of no use to anybody any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gpugen_protocol.errors import GpugenError
from gpugen_server.database import Database
from gpugen_server.queue import demand

GLANCES = 20  # how often the idle time is looked at while it passes


async def until_idle(
    database: Database, *, last_use: Callable[[], float], watchers: Callable[[], int], seconds: float
) -> None:
    """Return when for `seconds` there was no request, no task to do and nobody watching.

    Args:
        database: where the tasks are.
        last_use: the moment (time.monotonic) of the last request of a user.
        watchers: how many websockets are open.
        seconds: how long that must last.
    """
    since = time.monotonic()
    while time.monotonic() - max(since, last_use()) < seconds:
        await asyncio.sleep(max(0.05, min(seconds / GLANCES, 30.0)))
        if watchers() or await _has_tasks(database):
            since = time.monotonic()


async def _has_tasks(database: Database) -> bool:
    try:
        return await database.run(demand.unfinished)
    except GpugenError:
        return True  # a database that cannot answer must not look like an empty one
