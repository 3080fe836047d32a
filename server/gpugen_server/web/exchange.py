"""A request and its answer: when the handler begins, until when the body must be there, what is sent."""

from __future__ import annotations

import asyncio
import http
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http.client import responses

import structlog
from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)

from gpugen_server.web.handler import JSON_BYTES, Handler, announced_length

LARGEST_JSON = 2**21  # bytes after which a connection is cut that sends more than it may
_NO_CONTENT = frozenset({http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED})

log = structlog.get_logger(__name__)


class Exchange(HTTPMessageDelegate):
    """Stands between a connection, which reads and writes HTTP, and the handler of one request.

    A stranger is let in, or refused, after the head of the request and before anything of the body is read.
    For a caller whose token was good a moment ago and whose body is small nothing is gained by that: the
    handler is asked once all of it is here, which nearly always is at once, and checks the same.

    Args:
        note: told of the handler when it has answered.
    """

    def __init__(
        self, handler: Handler, connection: HTTP1Connection, note: Callable[[Handler], None]
    ) -> None:
        self._handler = handler
        self._connection = connection
        self._note = note
        self._admitted = False
        self._counts = False  # as a request that is being answered
        self._serving: asyncio.Task[None] | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head is there."""
        if _is_small(headers) and self._handler.services.gate.knows(headers.get("Authorization", "")):
            return None
        return self._admit()

    def data_received(self, chunk: bytes) -> None:
        """Some of the body is there."""
        self._handler.receive(chunk)

    def finish(self) -> None:
        """All of it is there."""
        self._enter()
        self._connection.set_close_callback(self.on_connection_close)
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    def on_connection_close(self) -> None:
        """The caller hung up, or was cut off, or was refused before the body."""
        if self._serving is not None:
            self._handler.hang_up()
        else:
            self._leave()

    async def _admit(self) -> None:
        """The connection waits for this before it reads on, and cuts off who then sends much more."""
        self._enter()
        try:
            await self._handler.admit()
        except Exception as error:
            self._refuse(error)
            self._end()
        else:
            self._admitted = True
            self._connection.set_max_body_size(max(LARGEST_JSON, self._handler.max_body + JSON_BYTES))

    async def _serve(self) -> None:
        try:
            if not self._admitted:
                await self._handler.admit()
            await self._handler.handle()
            self._send()
        except (Exception, asyncio.CancelledError) as error:
            self._refuse(error)
        self._end()

    def _refuse(self, error: BaseException) -> None:
        """Whatever it is, the caller gets an answer; nothing has been sent before."""
        try:
            self._handler.complain(error)
            self._send()
        except Exception:
            log.exception("an error cannot be told", path=self._handler.request.path)
            self._connection.close()

    def _send(self) -> None:
        """All at once, or nothing."""
        handler, connection = self._handler, self._connection
        headers, content = HTTPHeaders(handler.headers), handler.content
        headers["Date"] = _date(int(time.time()))
        if handler.status not in _NO_CONTENT:
            headers["Content-Length"] = str(len(content))
        if handler.status in _NO_CONTENT or handler.request.method == "HEAD":
            content = b""
        if self._serving is None:  # the body stays where it is
            headers["Connection"] = "close"
        start = ResponseStartLine("HTTP/1.1", handler.status, responses.get(handler.status, "Unknown"))
        connection.write_headers(start, headers, content)
        connection.finish()

    def _enter(self) -> None:
        if not self._counts:
            self._counts = True
            self._handler.services.enter()

    def _leave(self) -> None:
        if self._counts:
            self._counts = False
            self._handler.services.leave()

    def _end(self) -> None:
        self._leave()
        self._note(self._handler)


def _is_small(headers: HTTPHeaders) -> bool:
    """Whether the body, if any, is no longer than the JSON that any handler takes."""
    length = announced_length(headers)
    return length is not None and length <= JSON_BYTES and "Transfer-Encoding" not in headers


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return format_timestamp(second)
