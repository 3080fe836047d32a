"""Stands between clients and the server, brings the weather, and writes down what the server answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from asyncio import StreamReader, StreamWriter
from types import TracebackType
from typing import NamedTuple

from tests.chaos.history import History
from tests.chaos.weather import Fault, Weather


class Message(NamedTuple):
    """A request or an answer: the first line, all bytes up to the body, the body."""

    line: str
    head: bytes
    body: bytes


class _Gone(Exception):
    """The connection is over."""


class Proxy:
    """An HTTP proxy on a free port, with an event loop in a thread of its own.

    Attributes:
        target: the server's port.
    """

    def __init__(self, weather: Weather, history: History) -> None:
        self.target = 0
        self._weather = weather
        self._history = history
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        quiet = 0
        while quiet < 3:  # turns: whoever was just being let in becomes a task in one of the next
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await (asyncio.wait(others) if others else asyncio.sleep(0))
            quiet = 0 if others else quiet + 1

    async def _serve(self, client: StreamReader, back: StreamWriter) -> None:
        """One client's connection, and one to the server for it."""
        try:
            server, forth = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            back.transport.abort()
            return
        with contextlib.suppress(_Gone, OSError, asyncio.CancelledError):
            while True:
                request = await _receive(client)
                answer = await self._pass_on(request, client, server, forth)
                back.write(answer.head + answer.body)
                await back.drain()
        back.transport.abort()
        forth.transport.abort()

    async def _pass_on(
        self, request: Message, client: StreamReader, server: StreamReader, forth: StreamWriter
    ) -> Message:
        fault = self._weather.fault(request.line.split(" ")[1])
        if fault.kind == "refuse":
            raise _Gone
        if fault.kind == "late":
            await asyncio.sleep(fault.seconds)  # it arrives even if whoever sent it is gone by then
        sent = self._history.now
        forth.write(request.head + request.body)
        answer = await _answer(fault, client, server)
        self._note(request, answer, sent, fault)
        if fault.kind == "lost":
            raise _Gone
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        return answer

    def _note(self, request: Message, answer: Message, sent: int, fault: Fault) -> None:
        """What the server answered; `sent` says what was known when the request left for it."""
        method, path, _ = request.line.split(" ")
        self._history.note(
            "answer",
            sent=sent,
            method=method,
            path=path,
            status=int(answer.line.split(" ")[1]),
            leases=_leases(answer),
            fault=fault.kind,
        )


async def _answer(fault: Fault, client: StreamReader, server: StreamReader) -> Message:
    """The server's answer; a client that hangs up meanwhile takes the connection along, unless half open."""
    answer = asyncio.ensure_future(_receive(server))
    hung_up = asyncio.ensure_future(client.read(1))
    try:
        await asyncio.wait({answer, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and fault.kind not in {"half-open", "lost", "late"}:
            raise _Gone
        return await answer
    finally:
        for future in (answer, hung_up):
            future.cancel()
        await asyncio.gather(answer, hung_up, return_exceptions=True)


async def _receive(stream: StreamReader) -> Message:
    try:
        head = await stream.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        sizes = [int(line[15:]) for line in lines if line.lower().startswith("content-length:")]
        return Message(lines[0], head, await stream.readexactly(sizes[0] if sizes else 0))
    except asyncio.IncompleteReadError:
        raise _Gone from None


def _leases(answer: Message) -> list[dict[str, object]]:
    """The leases that an answer to a worker hands out."""
    try:
        found = json.loads(answer.body)["leases"]
    except (ValueError, KeyError, TypeError):
        return []
    return [
        {"lease": one["id"], "task": one["task"]["id"], "attempt": one["task"]["attempt"]} for one in found
    ]
