"""The gpugen server behind this Jupyter server: where it is, and a request to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError, SimpleAsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from gpugen_client.connection import Connection
from gpugen_client.named import is_named
from gpugen_protocol.errors import GpugenError, Unavailable
from gpugen_protocol.worker import VIA_HEADER

_CONNECT_SECONDS = 5.0
_OPEN_SECONDS = 60.0
_AT_ONCE = 32  # requests; more wait
_MAX_ANSWER = 128 << 20  # bytes; nothing of it is kept here
_LOST = (ConnectionError, HTTPStreamClosedError, HTTPTimeoutError, OSError)


class Call(Struct, frozen=True, kw_only=True):
    """A request to pass on: method, path with query, headers, body (None: none).

    The answer must be whole within `seconds`.
    """

    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    seconds: float = 60.0


class Upstream:
    """Finds the server when it is first needed, and again when it has gone.

    Args:
        environ: where the GPUGEN_* variables are read, at that moment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._connection: Connection | None = None
        self._finding = asyncio.Lock()
        self._http: SimpleAsyncHTTPClient | None = None

    async def fetch(
        self, call: Call, on_header: Callable[[str], None], on_chunk: Callable[[bytes], Awaitable[None]]
    ) -> HTTPResponse:
        """Send `call` and hand its answer over as it comes; any status is an answer.

        Raises:
            GpugenError: there is no server, or it does not answer.
        """
        try:
            return await self._fetch(call, on_header, on_chunk)
        except ConnectionRefusedError:  # a private server that ended: find, or start, the next one
            self.forget()
        try:
            return await self._fetch(call, on_header, on_chunk)
        except ConnectionRefusedError:
            raise self._gone() from None

    async def open_socket(self, target: str) -> WebSocketClientConnection:
        """A websocket to the path `target`; raises as `fetch`."""
        connection = await self._found()
        request = HTTPRequest(
            "ws" + connection.url.removeprefix("http") + target,
            headers={"Authorization": f"Bearer {connection.token}"},
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_OPEN_SECONDS,
        )
        try:
            return await websocket_connect(request)
        except (*_LOST, HTTPClientError):
            raise self._gone() from None

    async def glance(self, call: Call) -> bytes | None:
        """The body of a good answer to `call`; None: no server runs (none is started), or it says no."""
        connection = self._connection
        if connection is None:
            connection = await asyncio.to_thread(self._running)
        if connection is None:
            return None
        try:
            response = await self._client().fetch(_request(connection, call))
        except (*_LOST, HTTPClientError):
            return None
        return bytes(response.body)

    @property
    def private(self) -> bool:
        """Whether it is this user's private server, which ends when nobody uses it."""
        with contextlib.suppress(GpugenError):
            return not is_named(self._environ)
        return False

    def forget(self) -> None:
        """Look for the server anew next time: it is gone, or does not know us any more."""
        self._connection = None

    def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            self._http.close()
            self._http = None

    async def _fetch(
        self, call: Call, on_header: Callable[[str], None], on_chunk: Callable[[bytes], Awaitable[None]]
    ) -> HTTPResponse:
        connection = await self._found()
        request = _request(connection, call)
        request.header_callback, request.streaming_callback = on_header, on_chunk
        try:
            return await self._client().fetch(request, raise_error=False)
        except ConnectionRefusedError:
            raise
        except _LOST:
            raise self._gone() from None

    def _gone(self) -> GpugenError:
        connection, self._connection = self._connection, None
        where = connection.url if connection else "its last address"
        return Unavailable(
            f"The gpugen server at {where} does not answer.",
            hint="Is it running? `gpugen doctor` looks at every part.",
        )

    async def _found(self) -> Connection:
        async with self._finding:
            if self._connection is None:
                self._connection = await asyncio.to_thread(self._find)
            return self._connection

    def _find(self) -> Connection:
        from gpugen_client.access import connect  # starts processes, reads files: not for the event loop

        return connect(environ=self._environ)

    def _running(self) -> Connection | None:
        from gpugen_client.access import connect

        try:
            return connect(environ=self._environ, start=False)
        except GpugenError:
            return None

    def _client(self) -> SimpleAsyncHTTPClient:
        if self._http is None:
            self._http = SimpleAsyncHTTPClient(
                force_instance=True, max_clients=_AT_ONCE, max_body_size=_MAX_ANSWER
            )
        return self._http


def _request(connection: Connection, call: Call) -> HTTPRequest:
    return HTTPRequest(
        connection.url + call.target,
        method=call.method,
        headers={**call.headers, VIA_HEADER: "server", "Authorization": f"Bearer {connection.token}"},
        body=call.body,
        allow_nonstandard_methods=True,  # a POST without a body
        follow_redirects=False,
        decompress_response=False,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=call.seconds,
    )
