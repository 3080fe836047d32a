"""A server that says what a test tells it to say, over a real socket: for what a good server never does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from gpugen_protocol import paths, wire
from gpugen_protocol.errors import GpugenError, NotFound
from gpugen_protocol.events import (
    Event,
    EventPage,
    GapEvent,
    ImageEvent,
    NumberedEvent,
    PhaseEvent,
    SnapshotEvent,
    StateEvent,
)
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.state import State
from gpugen_protocol.task import Image, Progress, Task

AT = "2026-01-01T00:00:00.000Z"


def phase(seq: int, text: str = "") -> PhaseEvent:
    return PhaseEvent(task="t", at=AT, seq=seq, phase="drawing", text=text)


def state(seq: int, to: State) -> StateEvent:
    return StateEvent(task="t", at=AT, seq=seq, state=to)


def image(seq: int, index: int) -> ImageEvent:
    return ImageEvent(task="t", at=AT, seq=seq, index=index, sha256="0" * 64, seed=index)


def _finished(event: ImageEvent) -> Image:
    return Image(index=event.index, seed=event.seed, width=64, height=64, bytes=1, sha256=event.sha256)


class ScriptedServer:
    """One task `t`, whose events a test lets happen; the attributes say how the server misbehaves."""

    def __init__(self) -> None:
        self.events: list[NumberedEvent] = []
        self.oldest = 1  # events before this number were pruned
        self.unsent: set[int] = set()  # numbers that never go over the websocket
        self.progress: Progress | None = None  # of the task
        self.twice = False  # everything goes over the websocket twice
        self.hang_up_after: int | None = None  # messages after which a websocket is closed
        self.no_websocket = False
        self.silent_websocket = False
        self.error: GpugenError | None = None  # the answer to everything
        self.opened = 0
        self.polls = 0
        self.subscribed_after: list[int] = []
        self.unsubscribed: list[str] = []
        self._sockets: set[_Socket] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._http: HTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        self._do(self._listen)

    def go_down(self) -> None:
        """Close everything, as a crash would."""
        self._do(self._unlisten)

    def stop(self) -> None:
        self.go_down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def happen(self, *events: NumberedEvent) -> None:
        """Numbered events: stored, then sent."""
        self.events += events
        for event in events:
            if event.seq not in self.unsent:
                self.send(event)

    def send(self, event: Event) -> None:
        self._do(lambda: [socket.tell(event) for socket in list(self._sockets)])

    def hang_up(self) -> None:
        self._do(lambda: [socket.close() for socket in list(self._sockets)])

    @property
    def watched(self) -> bool:
        return bool(self._sockets)

    def task(self) -> Task:
        states = [event.state for event in self.events if isinstance(event, StateEvent)]
        request = ResolvedRequest(
            prompt="a", model="emoji", width=64, height=64, steps=2, guidance=1, seed=1, n=1, scheduler="ddim"
        )
        return Task(
            id="t",
            state=states[-1] if states else "queued",
            phase="",
            request=request,
            user="u",
            created_at=AT,
            progress=self.progress,
            images=tuple(_finished(event) for event in self.events if isinstance(event, ImageEvent)),
        )

    def snapshot(self) -> SnapshotEvent:
        return SnapshotEvent(task="t", at=AT, seq=len(self.events), data=self.task())

    def _listen(self) -> None:
        application = Application(
            [
                (paths.EVENTS.regex, _Socket, {"script": self}),
                (paths.TASK_EVENTS.regex, _Events, {"script": self}),
                (paths.TASK.regex, _Task, {"script": self}),
            ]
        )
        sockets = bind_sockets(self.port, "127.0.0.1")
        self.port = sockets[0].getsockname()[1]
        self._http = HTTPServer(application)
        self._http.add_sockets(sockets)

    def _unlisten(self) -> None:
        if self._http is not None:
            self._http.stop()
            for connection in list(self._http._connections):
                connection.stream.close()  # type: ignore[attr-defined]
            self._http = None
        for socket in list(self._sockets):
            if socket.ws_connection is not None:
                socket.ws_connection.stream.close()  # type: ignore[attr-defined]
        self._sockets.clear()

    def _do(self, action: Callable[[], Any]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            try:
                action()
                done.set_result(None)
            except Exception as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        done.result(5)


class _Scripted(RequestHandler):
    def initialize(self, script: ScriptedServer) -> None:
        self.script = script

    def prepare(self) -> None:
        if self.script.error is not None:
            self.set_status(self.script.error.status)
            self.finish(wire.encode(self.script.error.problem()))


class _Events(_Scripted):
    def get(self, id: str) -> None:
        self.script.polls += 1
        after = int(self.get_query_argument("after"))
        events = [event for event in self.script.events if event.seq > max(after, self.script.oldest - 1)]
        last = self.script.events[-1].seq if self.script.events else 0
        self.finish(wire.encode(EventPage(events=tuple(events[:3]), last_seq=last)))  # small pages


class _Task(_Scripted):
    def get(self, id: str) -> None:
        self.finish(wire.encode(self.script.task()))


class _Socket(WebSocketHandler):
    def initialize(self, script: ScriptedServer) -> None:
        self.script = script
        self.told = 0

    def prepare(self) -> None:
        error = self.script.error or (NotFound() if self.script.no_websocket else None)
        if error is not None:
            self.set_status(error.status)
            self.finish(wire.encode(error.problem()))

    def open(self, *args: str, **kwargs: str) -> None:
        self.script.opened += 1

    def on_message(self, message: str | bytes) -> None:
        import msgspec

        command = msgspec.json.decode(message)
        if command.get("unsubscribe"):
            self.script.unsubscribed.append(command["unsubscribe"]["task"])
        if "subscribe" not in command or command["subscribe"] is None:
            return
        after = command["subscribe"].get("after", 0)
        self.script.subscribed_after.append(after)
        if self.script.silent_websocket:
            return
        self.script._sockets.add(self)
        if after < self.script.oldest - 1:
            after = self.script.oldest - 1
            self.tell(GapEvent(task="t", at=AT, until=after))
        self.tell(self.script.snapshot())
        for event in self.script.events:
            if event.seq > after and event.seq not in self.script.unsent:
                self.tell(event)

    def tell(self, event: Event) -> None:
        if self.ws_connection is None:
            return
        for _ in range(2 if self.script.twice else 1):
            self.write_message(wire.encode(event))
        self.told += 1
        if self.told == self.script.hang_up_after:
            self.close()

    def on_close(self) -> None:
        self.script._sockets.discard(self)
