"""What the handlers work with, made once by the composition root."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from gpugen_protocol.errors import GpugenError, TooManyRequests, Unavailable
from gpugen_protocol.models import Registry
from gpugen_server.autoscale.cost import Costs
from gpugen_server.database import Database
from gpugen_server.events.entry import Entry
from gpugen_server.events.hub import Hub
from gpugen_server.images.decoders import Decoders
from gpugen_server.images.storage import Storage
from gpugen_server.queue import trash
from gpugen_server.queue.chatter import Chatter
from gpugen_server.queue.limits import Limits
from gpugen_server.settings import Settings
from gpugen_server.tokens.gate import Gate
from gpugen_server.tokens.throttle import Throttle
from gpugen_server.web.counts import Requests
from gpugen_server.web.dispatch import Dispatcher
from gpugen_server.web.holds import Holds

T = TypeVar("T")
SESSIONS_PER_MINUTE = 120  # of workers that one registration token opens; the rest ask again
LIVE_BEATS = 3  # a worker that misses so many heartbeats counts as gone


class Socket(Protocol):
    """An open websocket."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Say good-bye."""


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(kw_only=True)
class Services:
    """Everything a handler may use."""

    settings: Settings
    registry: Registry
    database: Database
    gate: Gate
    hub: Hub
    dispatcher: Dispatcher
    images: Storage
    decoders: Decoders
    pool: ThreadPoolExecutor
    storage_pool: ThreadPoolExecutor
    tell: Callable[[list[Entry]], None]
    holds: Holds
    costs: Costs
    chatter: Chatter = field(default_factory=Chatter)
    submits: Throttle = field(default_factory=lambda: Throttle(0))
    sessions: Throttle = field(default_factory=lambda: Throttle(SESSIONS_PER_MINUTE))
    limits: Limits = field(default_factory=Limits)
    sockets: set[Socket] = field(default_factory=set)
    started: float = field(default_factory=time.monotonic)
    last_request: float = field(default_factory=time.monotonic)
    requests: Requests = field(default_factory=Requests)
    autoscaler_text: Callable[[], str] = str
    describe: Callable[[], dict[str, Any]] = dict  # the API
    reference: Callable[[], str] = str  # the same, as a page
    refusing_tasks: bool = False
    _in_flight: int = 0
    _idle: asyncio.Event = field(default_factory=_set_event)

    def live_after(self) -> float:
        """The moment (seconds since the epoch) after which a worker was heard of, if it is alive."""
        return self.database.now() - LIVE_BEATS * self.settings.heartbeat_seconds

    def check_takes_tasks(self) -> None:
        """Call this right before a task is written, with nothing to wait for in between.

        Raises:
            Unavailable: the server is about to end.
        """
        if self.refusing_tasks:
            raise Unavailable("The server is about to end, for nobody used it.", retry_after=1.0)

    def count_submit(self, user: str) -> TooManyRequests | None:
        """Count a task of `user`; what to refuse it with if it comes too soon after those before."""
        wait = self.submits.take(user)
        if not wait:
            return None
        return TooManyRequests(
            f"You submit more than {self.settings.submits_per_minute:,} tasks a minute.", retry_after=wait
        )

    def count_session(self, token: str) -> None:
        """Count a worker that introduces itself with registration token `token` (its id).

        Raises:
            TooManyRequests: every worker costs a row that each submit and each list of workers reads.
        """
        if wait := self.sessions.take(token):
            raise TooManyRequests("Too many workers come with this token at once.", retry_after=wait + 5.0)

    def enter(self) -> None:
        """A request is being answered."""
        self._in_flight += 1
        self._idle.clear()

    def leave(self) -> None:
        """It has been."""
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no request is being answered."""
        await self._idle.wait()

    async def at_storage(self, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)` on a thread, for what waits for disk or bucket: nothing else waits with it."""
        return await asyncio.get_running_loop().run_in_executor(self.storage_pool, function, *args)

    async def drop(self, files: list[str]) -> None:
        """Let the image store drop `files` of the trash; what it keeps for now is tried again later."""
        kept = set(await self.at_storage(self.images.remove, files))
        with contextlib.suppress(GpugenError):  # dropping them twice does no harm
            await self.database.run(trash.gone, [file for file in files if file not in kept])

    async def off_loop(self, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)` on a thread, for what computes."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, function, *args)
