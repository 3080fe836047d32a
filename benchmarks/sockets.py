"""Many websocket clients in one process: they count and time messages, and read them no further than that."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from urllib.parse import urlsplit

_MARK = b"AT+"  # before the moment that a message carries, if it carries one
_DIGITS = 17  # of its microseconds: with the mark it is good base64, as a preview's data must be


class Client(asyncio.Protocol):
    """Counts whole frames; `seen` is told of each with the moment it carries (0: none)."""

    def __init__(self, request: bytes, seen: Callable[[float], None]) -> None:
        self._request = request
        self._seen = seen
        self._buffer = bytearray()
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]
        self._write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.opened.done():
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head, head
            self._buffer = bytearray(rest)
            self.opened.set_result(None)
        while self._frame():
            pass

    def _frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 127, 2
        if size > 125:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return False
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return False
        kind = buffer[0] & 15
        if kind == 1:
            self._seen(moment_in(buffer, start, size))
        elif kind == 9:  # a ping: who does not answer is let go; a mask of zeros leaves the body as it is
            self._write(bytes([0x8A, 0x80 | size, 0, 0, 0, 0]) + buffer[start : start + size])
        del buffer[: start + size]
        return True


def moment_in(buffer: bytes | bytearray, start: int = 0, size: int | None = None) -> float:
    """The moment that a message in `buffer` carries; 0 if none."""
    at = buffer.find(_MARK, start, None if size is None else start + size)
    digits = at + len(_MARK)
    return int(buffer[digits : digits + _DIGITS]) / 1e6 if at >= 0 else 0.0


def stamp(moment: float | None = None) -> str:
    """A moment (now), as the text of a message; the same clock in all processes of a machine."""
    seconds = time.perf_counter() if moment is None else moment
    return f"{_MARK.decode()}{round(seconds * 1e6):0{_DIGITS}}"


def crowd(url: str, path: str, token: str, count: int, pipe: Pipe) -> None:
    """Open `count` sockets; then, for each number that the pipe brings, give the moment by which so many
    messages that carry a moment have come, and how long (seconds) each of them took.
    """
    asyncio.run(_crowd(url, path, token, count, pipe))


async def _crowd(url: str, path: str, token: str, count: int, pipe: Pipe) -> None:
    loop = asyncio.get_running_loop()
    delays: list[float] = []
    enough = asyncio.Event()
    wanted = 0

    def seen(moment: float) -> None:
        if moment:
            delays.append(time.perf_counter() - moment)
            if len(delays) >= wanted:
                enough.set()

    clients = [await _open(url, path, token, seen) for _ in range(count)]
    pipe.send(len(clients))
    while True:
        wanted = await loop.run_in_executor(None, pipe.recv)
        if not wanted:
            return
        if len(delays) < wanted:
            enough.clear()
            async with asyncio.timeout(60):
                await enough.wait()
        pipe.send((time.perf_counter(), list(delays)))
        delays.clear()


class Arrivals:
    """How long (seconds) each message took, by the moment it carries."""

    def __init__(self) -> None:
        self._delays: dict[float, float] = {}
        self._came = asyncio.Event()

    def note(self, moment: float) -> None:
        """A message came."""
        self._delays[moment] = time.perf_counter() - moment
        self._came.set()

    async def answer(self, pipe: Pipe) -> None:
        """For each moment that the pipe brings, how long that message took; until it brings 0."""
        loop = asyncio.get_running_loop()
        while moment := await loop.run_in_executor(None, pipe.recv):
            while moment not in self._delays:
                self._came.clear()
                await self._came.wait()
            pipe.send(self._delays[moment])


def watch(url: str, path: str, token: str, pipe: Pipe) -> None:
    """Open one socket and answer the pipe as `Arrivals` does."""
    asyncio.run(_watch(url, path, token, pipe))


async def _watch(url: str, path: str, token: str, pipe: Pipe) -> None:
    arrivals = Arrivals()
    client = await _open(url, path, token, arrivals.note)
    pipe.send(1)
    await arrivals.answer(pipe)
    assert client.opened.done()


async def _open(url: str, path: str, token: str, seen: Callable[[float], None]) -> Client:
    parts = urlsplit(url)
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: Client(request.encode(), seen), parts.hostname, parts.port
    )
    await client.opened
    return client
