"""What one watcher has still to be sent: little of it, for whoever falls behind is served from the database.

A client that reads as fast as it is told costs nothing here: its messages go straight to its socket. Behind a
socket that is full they queue, up to ROOM bytes; beyond that numbered events are not kept (`crowded`: the
watcher reads them from the database once there is room), and live ones are dropped. Only what no database can
give again, a snapshot or a notice, is always taken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from msgspec import Struct

ROOM = 48_000  # bytes; nothing more is added while so much waits
MAX_BYTES = 1_000_000  # a client that lets this much pile up, of what cannot be left out, does not read
BATCH = 64_000  # bytes that are handed on at once


class TooSlowError(Exception):
    """The watcher does not read what it asked for."""


class Sink(Protocol):
    """The way out of the process."""

    def ready(self) -> bool:
        """Whether what is sent now leaves at once."""

    def send(self, body: bytes) -> None:
        """Send it."""


class Message(Struct):
    """What is to be sent; one with a key is live and may be replaced until it is."""

    body: bytes
    key: tuple[str, str] | None = None


class Outbound:
    """A queue of messages for one socket; `sink` is taken as a short cut while nothing waits."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        self._queue: deque[Message] = deque()
        self._live: dict[tuple[str, str], Message] = {}
        self._bytes = 0
        self._overflown = False
        self._handed_out = False  # what was taken last may not have reached the socket yet
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    @property
    def crowded(self) -> bool:
        """Whether so much waits that nothing should be added which can be had again."""
        return self._bytes > ROOM

    def put(self, body: bytes) -> None:
        """Add a message that must not be dropped; too many of them end the whole queue."""
        if not self._sent_at_once(body):
            self._queue.append(Message(body))
            self._account(len(body))

    def put_live(self, key: tuple[str, str], body: bytes) -> None:
        """Add a message that replaces an unsent one of the same key; it is dropped where there is no room."""
        waiting = self._live.get(key)
        if waiting is not None:
            growth = len(body) - len(waiting.body)
            waiting.body = body
            self._account(growth)
        elif not self.crowded and not self._sent_at_once(body):
            waiting = self._live[key] = Message(body, key)
            self._queue.append(waiting)
            self._account(len(body))

    def detach(self) -> None:
        """The socket is gone: nothing refers to it from here any more."""
        self._sink = None

    async def get(self) -> bytes:
        """The next message.

        Raises:
            TooSlowError: more piled up than with a client that reads.
        """
        return (await self.batch(1))[0]

    async def batch(self, limit: int = BATCH) -> list[bytes]:
        """The next messages, at least one and about `limit` bytes; raises as `get`."""
        self._handed_out = False
        while not self._queue and not self._overflown:
            self._filled.clear()
            await self._filled.wait()
        if self._overflown:
            raise TooSlowError
        self._handed_out = True
        found: list[bytes] = []
        size = 0
        while self._queue and size < limit:
            found.append(self._take())
            size += len(found[-1])
        return found

    async def room(self) -> None:
        """Wait until little is left to send."""
        await self._drained.wait()

    def _take(self) -> bytes:
        message = self._queue.popleft()
        if message.key is not None:
            del self._live[message.key]
        self._account(-len(message.body))
        return message.body

    def _sent_at_once(self, body: bytes) -> bool:
        if self._sink is None or self._queue or self._handed_out or not self._sink.ready():
            return False
        self._sink.send(body)
        return True

    def _account(self, change: int) -> None:
        self._bytes += change
        self._filled.set()
        if self._bytes > MAX_BYTES:
            self._overflown = True
            self._queue.clear()
            self._live.clear()
        if self.crowded and not self._overflown:
            self._drained.clear()
        else:
            self._drained.set()
