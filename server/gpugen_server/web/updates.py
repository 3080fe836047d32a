"""The websocket: events of any number of tasks, as they happen and as they were numbered."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketHandler

from gpugen_protocol import wire
from gpugen_protocol.errors import Forbidden, GpugenError, Unauthorized
from gpugen_protocol.events import SocketCommand, Subscription
from gpugen_server.events.frame import text_frame
from gpugen_server.events.outbound import TooSlowError
from gpugen_server.events.watcher import Watcher
from gpugen_server.queue import search
from gpugen_server.web import problem
from gpugen_server.web.endpoint import Endpoint
from gpugen_server.web.queries import SocketQuery
from gpugen_server.web.services import Services

EVERYTHING = "*"
_DEADLINE = 10.0  # seconds for one message to leave this process
_GOING_AWAY, _POLICY, _TRY_AGAIN = 1001, 1008, 1013
_LONGEST_REASON = 100  # characters that surely fit into a closing frame
TOKEN_SECONDS = 60.0  # between two looks whether the token still holds


class Updates(Endpoint, WebSocketHandler):
    """`/events`: a websocket that tells what happens to tasks; see SocketCommand and Event."""

    role = "user"

    def initialize(self, services: Services) -> None:
        """Tornado's constructor for our own arguments."""
        self.services = services

    def set_default_headers(self) -> None:
        """As of every answer."""
        self.clear_header("Server")
        self._set_headers(problem.HEADERS)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Why this does not become a websocket."""
        found = problem.of(kwargs.get("exc_info", (None, None))[1], status_code)
        self.set_status(found.status)
        self._set_headers(problem.headers(found, ["GET"]))
        self.finish(wire.encode(found))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """As for every request."""
        problem.note(value, self.request.path)

    async def prepare(self) -> None:
        """Everything is checked before the connection becomes a websocket."""
        self._check_origin()
        await self.authorize()
        asked = self.query(SocketQuery)
        if asked.task not in (None, EVERYTHING):
            owner, live_after = self.principal.owner, self.services.live_after()
            await self.services.database.run(search.get, asked.task, owner, live_after)

    def check_origin(self, origin: str) -> bool:
        """`prepare` has done it already."""
        return True

    async def open(self) -> None:
        """Begin to send."""
        services = self.services
        self.set_nodelay(True)
        self.watcher = Watcher(services.database, self.principal.owner, services.live_after, self)
        services.hub.join(self.watcher)
        services.sockets.add(self)
        self._loops = [asyncio.create_task(self._send()), asyncio.create_task(self._check_token())]
        asked = self.query(SocketQuery)
        if asked.task is not None:
            await self._obey(SocketCommand(subscribe=Subscription(task=asked.task, after=asked.after)))

    async def on_message(self, message: str | bytes) -> None:
        """A command of the client."""
        try:
            await self._obey(wire.decode(message, SocketCommand))
        except GpugenError as error:
            self.watcher.notice(error.code, str(error))

    def on_close(self) -> None:
        """Forget the client, with no circle left: full collections, which would find one, are seldom."""
        if hasattr(self, "watcher"):
            for loop in self._loops:
                loop.cancel()
            self._loops.clear()
            self.services.hub.leave(self.watcher)
            self.services.sockets.discard(self)

    async def _obey(self, command: SocketCommand) -> None:
        try:
            if command.subscribe is not None:
                await self._subscribe(command.subscribe)
            if command.unsubscribe is not None:
                self._unsubscribe(command.unsubscribe.task)
        except GpugenError as error:
            self.watcher.notice(error.code, str(error))

    async def _subscribe(self, wanted: Subscription) -> None:
        hub = self.services.hub
        after = wanted.after
        if wanted.task != EVERYTHING:
            hub.follow(
                self.watcher, wanted.task, after.get(wanted.task, 0) if isinstance(after, dict) else after
            )
            return
        hub.follow_everything(self.watcher)
        known = after if isinstance(after, dict) else {}
        active = await self.services.database.run(search.active, self.principal.owner)
        for task in {**dict.fromkeys(active, 0), **known}:
            self.watcher.follow(task, known.get(task, 0))

    def _unsubscribe(self, task: str) -> None:
        if task == EVERYTHING:
            self.services.hub.unfollow_everything(self.watcher)
        else:
            self.services.hub.unfollow(self.watcher, task)

    def ready(self) -> bool:
        """Whether the socket takes more at once: for messages that need not wait for `_send`."""
        return self.ws_connection is not None and not self._stream.writing()

    def send(self, body: bytes) -> None:
        """Send a message now, without waiting for it to leave."""
        with contextlib.suppress(StreamClosedError):
            self._stream.write(text_frame(body))

    @property
    def _stream(self) -> IOStream:
        """Below Tornado's websocket: a frame that is the same for every watcher is built once."""
        if self.ws_connection is None:
            raise StreamClosedError
        stream = self.ws_connection.stream
        assert isinstance(stream, IOStream)
        return stream

    async def _send(self) -> None:
        """Hand on what waits, as fast as the client reads."""
        try:
            while True:
                bodies = await self.watcher.outbound.batch()
                async with asyncio.timeout(_DEADLINE):
                    await self._stream.write(b"".join(map(text_frame, bodies)))
        except (TooSlowError, TimeoutError):
            self.close(_TRY_AGAIN, "the client reads too slowly")
        except StreamClosedError:
            self.close(_GOING_AWAY)

    async def _check_token(self) -> None:
        """A token may be revoked or expire while its websocket is open."""
        authorization = self.request.headers.get("Authorization")
        while True:
            await asyncio.sleep(TOKEN_SECONDS)
            try:
                await self.services.gate.identify(authorization)
            except Unauthorized as error:
                self.close(_POLICY, str(error)[:_LONGEST_REASON])
                return
            except GpugenError:
                continue  # the database is away, which says nothing about the token

    def _set_headers(self, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            self.set_header(name, value)

    def _check_origin(self) -> None:
        """A browser says where its page comes from: only from here is right. Programs say nothing."""
        origin = self.request.headers.get("Origin")
        if origin is None:
            return
        scheme, _, host = origin.partition("://")
        if scheme.lower() not in {"http", "https"} or host != self.request.headers.get("Host"):
            raise Forbidden(f"Pages of {origin} may not open this websocket.")
