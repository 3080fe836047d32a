"""What one watcher has still to be sent: bounded, and live events of one kind replace each other."""

from __future__ import annotations

import asyncio
from collections import deque

from msgspec import Struct

MAX_BYTES = 4_000_000  # a client that lets this much pile up does not read
ROOM = 1_000_000  # replays go on below this


class TooSlowError(Exception):
    """The watcher does not read what it asked for."""


class Message(Struct):
    """What is to be sent; one with a key is live and may be replaced until it is."""

    body: bytes
    key: tuple[str, str] | None = None


class Outbound:
    """A queue of messages for one socket."""

    def __init__(self) -> None:
        self._queue: deque[Message] = deque()
        self._live: dict[tuple[str, str], Message] = {}
        self._bytes = 0
        self._overflown = False
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    def put(self, body: bytes) -> None:
        """Add a message that must not be dropped; too many of them end the whole queue."""
        self._queue.append(Message(body))
        self._account(len(body))

    def put_live(self, key: tuple[str, str], body: bytes) -> None:
        """Add a message that replaces an unsent one of the same key."""
        waiting = self._live.get(key)
        if waiting is None:
            waiting = self._live[key] = Message(b"", key)
            self._queue.append(waiting)
        growth = len(body) - len(waiting.body)
        waiting.body = body
        self._account(growth)

    async def get(self) -> bytes:
        """The next message.

        Raises:
            TooSlowError: more piled up than with a client that reads.
        """
        while not self._queue and not self._overflown:
            self._filled.clear()
            await self._filled.wait()
        if self._overflown:
            raise TooSlowError
        message = self._queue.popleft()
        if message.key is not None:
            del self._live[message.key]
        self._account(-len(message.body))
        return message.body

    async def room(self) -> None:
        """Wait until little is left to send."""
        await self._drained.wait()

    def _account(self, change: int) -> None:
        self._bytes += change
        self._filled.set()
        if self._bytes > MAX_BYTES:
            self._overflown = True
            self._queue.clear()
            self._live.clear()
        if self._bytes > ROOM and not self._overflown:
            self._drained.clear()
        else:
            self._drained.set()
