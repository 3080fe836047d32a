"""Tells queued tasks that somebody watches how their wait goes on: place, time left, and what it waits for.

Such news are numbered `phase` events, so nobody misses the last of them, but not one for every move of the
queue: only for tasks that a client of this server names, at most every few seconds, and in coarse steps while
much is ahead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from gpugen_server.complaints import Complaints
from gpugen_server.database import Database, Store
from gpugen_server.events.hub import Hub
from gpugen_server.queue import waiting

SECONDS = 3.0  # between two looks
_AT_ONCE = 50  # tasks in one transaction
_MOST = 500  # tasks that are told at all: a page that names thousands reads its list anew

log = structlog.get_logger(__name__)


class Outlook:
    """The background work; `live_after` gives the moment after which a worker was seen if it is alive."""

    def __init__(self, database: Database, hub: Hub, live_after: Callable[[], float]) -> None:
        self._database = database
        self._hub = hub
        self._live_after = live_after
        self._work: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._work = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def look(self) -> None:
        """Tell every watched task what has changed for it."""
        tasks = self._hub.watched_tasks()[:_MOST]
        for first in range(0, len(tasks), _AT_ONCE):
            await self._database.run(_tell, tasks[first : first + _AT_ONCE], self._live_after())

    async def _run(self) -> None:
        complaints = Complaints(log)
        while True:
            await asyncio.sleep(SECONDS)
            try:
                await self.look()
            except Exception as error:  # whatever it is, the next look may go well
                complaints.log("waiting tasks could not be told of their place", error)


def _tell(store: Store, tasks: Sequence[str], live_after: float) -> None:
    for task in tasks:
        waiting.tell(store, task, live_after)
