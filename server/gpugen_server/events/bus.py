"""Carries events between server processes over one Redis stream; those of this process need no detour.

Nothing depends on what travels here: numbered events are in the database, and a watcher that sees a hole
reads there. So every failure ends in one place: mark the bus degraded, and try again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gpugen_protocol.errors import describe
from gpugen_server.complaints import Complaints
from gpugen_server.events.backlog import Backlog
from gpugen_server.events.entry import Entry
from gpugen_server.events.hub import Hub

STREAM = "gpugen:events"
MAX_LENGTH = 5_000  # loads of at most 24 KB, or of one preview, which is no larger: see embedded_redis.MEMORY
_LOAD = 24_000  # bytes of events that travel as one: what Redis takes and gives costs by the piece
_KEPT = 100  # loads left when a Redis that was full is to take more
_BATCH = 500
_DELIVERIES = 500  # messages to sockets before others may do something
_TIMEOUT = 1.0  # seconds for one answer of Redis
_BLOCK = 2.0  # seconds one read waits for news
_PAUSE = 0.02  # seconds between two round trips: what happens meanwhile shares the next one
_ALONE = 0.1  # the same between two reads that find only what this process wrote
_AGAIN = 0.5  # seconds between two tries to get Redis back
_FAILURES = (RedisError, OSError, TimeoutError)

logger = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode


class Bus:
    """One process's end of the stream.

    Args:
        redis: a URL, or keyword arguments of `redis.asyncio.Redis`.
        hub: where everything that arrives is handed to.
    """

    def __init__(self, redis: str | dict[str, Any], hub: Hub) -> None:
        self._hub = hub
        self._here = Backlog()  # for this process's watchers
        self._heard = asyncio.Event()
        self._out = Backlog()  # for Redis
        self._filled, self._sent = asyncio.Event(), asyncio.Event()
        self._sent.set()
        self._writer = _client(redis, _TIMEOUT)
        self._reader = _client(redis, _BLOCK + _TIMEOUT)
        self._tasks: list[asyncio.Task[None]] = []
        self._last = "0-0"  # the entry read last
        self._name = secrets.token_bytes(8)  # marks what this process wrote

    @property
    def degraded(self) -> bool:
        """Whether Redis does not answer; then only this process's watchers get live events."""
        return self._hub.degraded

    async def start(self) -> None:
        """Begin to read and write; a Redis that is not there is waited for in the background."""
        try:
            self._last = await self._newest()
        except _FAILURES as error:
            self._degrade(error)
        steps = (self._tell_next, self._write_next, self._read_next, self._recover)
        self._tasks = [asyncio.create_task(_for_ever(step)) for step in steps]

    def publish(self, entries: list[Entry]) -> None:
        """Tell this process's watchers at once and all others' soon; never fails and never waits."""
        if len(self._hub):  # who comes later reads what was committed before
            self._here.add(entries)
            self._heard.set()
        self._out.add(entries)
        self._sent.clear()
        self._filled.set()

    async def stop(self) -> None:
        """Send what is left and let go of Redis."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TIMEOUT):
                await self._sent.wait()
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:
                task.cancel()  # redis-py swallows one that comes while it connects: hence the loop
            await asyncio.wait(pending, timeout=0.2)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in (self._writer, self._reader):
            with contextlib.suppress(*_FAILURES):
                await client.aclose()

    async def _newest(self) -> str:
        found: Any = await self._writer.xrevrange(STREAM, count=1)
        return found[0][0].decode() if found else "0-0"

    async def _tell_next(self) -> None:
        """Deliver a little at a time: a burst to a thousand watchers must not keep everybody else waiting."""
        await self._heard.wait()
        entries = self._here.take(_portion(len(self._hub)))
        if not self._here:
            self._heard.clear()
        try:
            self._hub.deliver(entries)
        except BaseException:
            self._hub.resync()  # watchers look for the numbers they miss
            raise
        await asyncio.sleep(0)

    async def _write_next(self) -> None:
        await self._filled.wait()
        try:
            await self._write(self._out.take(_BATCH))
        finally:
            if not self._out:
                self._filled.clear()
                self._sent.set()
        await asyncio.sleep(_PAUSE)

    async def _write(self, batch: list[Entry]) -> None:
        if self.degraded:
            return
        try:
            async with self._writer.pipeline(transaction=False) as pipeline:
                for load in _loads(batch):
                    fields: dict[Any, Any] = {"l": _encode(load), "o": self._name}
                    pipeline.xadd(STREAM, fields, maxlen=MAX_LENGTH, approximate=True)
                await pipeline.execute()
        except _FAILURES as error:
            self._degrade(error)

    async def _read_next(self) -> None:
        try:
            found = await self._reader.xread({STREAM: self._last}, count=_BATCH, block=int(_BLOCK * 1000))
        except _FAILURES as error:
            self._degrade(error)
            await asyncio.sleep(_AGAIN)
            return
        pause = _ALONE
        for name, fields in _entries(found):
            self._last = name
            for few in _in_portions(self._unpack(fields), len(self._hub)):
                pause = _PAUSE
                self._hub.hear(few)
                await asyncio.sleep(0)
        await asyncio.sleep(pause)

    def _unpack(self, fields: dict[bytes, bytes]) -> list[Entry]:
        """What another process has to tell; what cannot be read makes watchers look for themselves."""
        packed = fields.get(b"l")
        if packed is None:
            self._hub.resync()
            return []
        if fields.get(b"o") == self._name:
            return []  # its watchers have it already
        try:
            return _decode(packed)
        except msgspec.DecodeError as error:
            logger.warning("a load of another version on the bus was skipped: %s", error)
            self._hub.resync()
            return []

    async def _recover(self) -> None:
        """While degraded, try to write; the entry written makes every process look for what it missed."""
        await asyncio.sleep(_AGAIN)
        if not self.degraded:
            return
        try:
            await self._writer.xtrim(STREAM, maxlen=_KEPT)  # it may have refused for want of memory
            await self._writer.xadd(STREAM, {"resync": b"1"}, maxlen=MAX_LENGTH, approximate=True)
        except _FAILURES:
            return
        logger.info("redis answers again")
        self._hub.set_degraded(False)
        self._hub.resync()

    def _degrade(self, error: BaseException) -> None:
        if not self.degraded:
            logger.warning("redis does not answer, live updates are degraded: %s", describe(error))
            self._hub.set_degraded(True)


async def _for_ever(step: Callable[[], Awaitable[None]]) -> None:
    complaints = Complaints(structlog.get_logger(__name__))
    while True:
        try:
            await step()
        except Exception as error:  # whatever it is, events must go on flowing
            complaints.log("an event was lost on its way", error)
            await asyncio.sleep(_AGAIN)


def _loads(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """`entries` in loads of at most _LOAD bytes, or of one larger entry."""
    load: list[Entry] = []
    size = 0
    for entry in entries:
        size += len(entry.body)
        if load and size > _LOAD:
            yield load
            load, size = [], len(entry.body)
        load.append(entry)
    yield load


def _portion(watchers: int) -> int:
    """How many entries are delivered before others may do something."""
    return max(1, _DELIVERIES // (1 + watchers))


def _in_portions(entries: list[Entry], watchers: int) -> Iterator[list[Entry]]:
    few = _portion(watchers)
    return (entries[first : first + few] for first in range(0, len(entries), few))


def _client(redis: str | dict[str, Any], timeout: float) -> Redis:
    limits: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": _TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }
    if isinstance(redis, str):
        return Redis.from_url(redis, **limits)
    return Redis(**{**redis, **limits})


def _entries(found: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    """The entries of an XREAD answer, of which there is a dict and a list form."""
    streams = found.values() if isinstance(found, dict) else [entries for _, entries in found or ()]
    flat: list[tuple[str, dict[bytes, bytes]]] = []
    for entries in streams:
        flat.extend((name.decode(), fields) for name, fields in entries)
    return flat
