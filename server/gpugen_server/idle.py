"""When a private server is of no use to anybody any more."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from gpugen_protocol.errors import GpugenError
from gpugen_server.database import Database
from gpugen_server.queue import demand

GLANCES = 20  # how often the idle time is looked at while it passes


class Use(Protocol):
    """A server, as far as it is of use to anybody."""

    database: Database

    @property
    def last_use(self) -> float:
        """The moment (time.monotonic) of the last request of a user."""

    @property
    def watchers(self) -> int:
        """How many websockets are open."""

    def refuse_tasks(self, refuse: bool) -> None:
        """Take no new tasks any more, or take them again."""


async def until_idle(server: Use, seconds: float) -> None:
    """Return when for `seconds` there was no request, no task to do and nobody watching.

    From then on the server takes no tasks: one that it takes in its last moment would be left behind.
    """
    while True:
        await _until_quiet(server, seconds)
        server.refuse_tasks(True)
        if not await _has_tasks(server.database):
            return
        server.refuse_tasks(False)


async def _until_quiet(server: Use, seconds: float) -> None:
    since = time.monotonic()
    while time.monotonic() - max(since, server.last_use) < seconds:
        await asyncio.sleep(max(0.05, min(seconds / GLANCES, 30.0)))
        if server.watchers or await _has_tasks(server.database):
            since = time.monotonic()


async def _has_tasks(database: Database) -> bool:
    try:
        return await database.run(demand.unfinished)
    except GpugenError:
        return True  # a database that cannot answer must not look like an empty one
