"""A request as it arrives: when its handler begins, and until when its body must be there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import structlog
from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import Application

from gpugen_server.web.handler import BODY_SECONDS, JSON_BYTES

_LENGTH = re.compile(r"[1-9][0-9]{0,5}")

log = structlog.get_logger(__name__)


class Reception(HTTPMessageDelegate):
    """Stands before Tornado's own way through a request, which begins with its head.

    There the handler checks the token, sets limits and waits for the body, which costs four more turns of the
    event loop. Where the body is small and the token was good a moment ago nothing is gained by that: the
    handler begins once all of it is here, which nearly always is at once, and checks the same.

    Args:
        inner: Tornado's way.
        connection: where the request comes from.
        knows: whether an `Authorization` header carries a token that was good a moment ago.
    """

    def __init__(
        self, inner: HTTPMessageDelegate, connection: HTTPConnection, knows: Callable[[str], bool]
    ) -> None:
        self._inner = inner
        self._connection = connection
        self._knows = knows
        self._head: tuple[RequestStartLine | ResponseStartLine, HTTPHeaders] | None = None
        self._body: list[bytes] = []
        self._late: asyncio.TimerHandle | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head is there."""
        connection = self._connection
        if isinstance(connection, HTTP1Connection):
            if _is_small(headers) and self._knows(headers.get("Authorization", "")):
                self._head = start_line, headers
                self._late = asyncio.get_running_loop().call_later(BODY_SECONDS, _cut, connection)
                return None
            connection.set_body_timeout(BODY_SECONDS)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Some of the body is there."""
        if self._head is None:
            return self._inner.data_received(chunk)
        self._body.append(chunk)
        return None

    def finish(self) -> None:
        """All of it is there."""
        self._stop_waiting()
        if self._head is not None:
            self._inner.headers_received(*self._head)
            for chunk in self._body:
                self._inner.data_received(chunk)
        self._inner.finish()

    def on_connection_close(self) -> None:
        """The caller hung up, or was cut off."""
        self._stop_waiting()
        if self._head is None:
            self._inner.on_connection_close()

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()


class Site(Application):
    """An application with such a reception; its setting `knows` is the reception's."""

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """As Tornado's, whose way through the request comes after the reception."""
        inner = super().start_request(server_conn, request_conn)
        return Reception(inner, request_conn, self.settings["knows"])


def _is_small(headers: HTTPHeaders) -> bool:
    """Whether there is a body, no longer than the JSON that any handler takes."""
    length = headers.get("Content-Length", "")
    return _LENGTH.fullmatch(length) is not None and int(length) <= JSON_BYTES


def _cut(connection: HTTP1Connection) -> None:
    log.info("a body did not come in time")
    connection.stream.close()
