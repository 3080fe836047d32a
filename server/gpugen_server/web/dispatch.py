"""Lets workers wait for tasks: a claim that finds nothing sleeps until a task arrives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from gpugen_protocol.errors import GpugenError
from gpugen_protocol.worker import Lease
from gpugen_server.database import Database, Store
from gpugen_server.queue import finish
from gpugen_server.queue.claim import Claimer, claim

T = TypeVar("T")


class Ticket:
    """One claim that waits. `gone` once its worker hung up."""

    def __init__(self) -> None:
        self.gone = False
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look again."""
        self._news.set()

    def hang_up(self) -> None:
        """Nobody is there any more to take a task."""
        self.gone = True
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Until there are news, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()


class Dispatcher:
    """All claims that wait in this process.

    Args:
        glance: seconds after which a waiting claim looks again by itself: that finds expired leases, and it
            keeps the waiting worker alive in the table of workers.
    """

    def __init__(self, database: Database, glance: float) -> None:
        self._database = database
        self._glance = glance
        self._waiting: set[Ticket] = set()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # one for each worker
        self._closing = False

    def wake(self) -> None:
        """A task is ready."""
        for ticket in self._waiting:
            ticket.wake()

    def close(self) -> None:
        """Send every waiting worker away with nothing."""
        self._closing = True
        self.wake()

    async def claim(self, claimer: Claimer, seconds: float, ticket: Ticket) -> tuple[Lease, ...]:
        """Leases for `claimer`; empty after `seconds` without a task."""
        deadline = asyncio.get_running_loop().time() + seconds
        self._waiting.add(ticket)
        try:
            while True:
                leases = await self.grant(lambda store: claim(store, claimer), claimer.worker, ticket)
                left = deadline - asyncio.get_running_loop().time()
                if leases or ticket.gone or self._closing or left <= 0:
                    return leases
                await ticket.wait(min(left, self._glance))
        finally:
            self._waiting.discard(ticket)

    async def grant(
        self, claims: Callable[[Store], tuple[Lease, ...]], worker: str, ticket: Ticket
    ) -> tuple[Lease, ...]:
        """The leases that `claims` brings; given back at once if their worker hung up meanwhile.

        One at a time for each worker: a claim that is sent anew must not get what is just being given back.
        """
        async with self._turns.setdefault(worker, asyncio.Lock()):
            leases = await self._database.run_short(claims)
            if not ticket.gone:
                return leases
            for lease in leases:
                with contextlib.suppress(GpugenError):
                    await self._database.run(finish.release, lease.id, worker, "the worker hung up")
            return ()
