"""The application: every request to its handler, the access log, and the table of routes as pages."""

from __future__ import annotations

import http
import re
from collections.abc import Awaitable, Iterable
from functools import cache
from urllib.parse import unquote_to_bytes

import structlog
from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import Application, RequestHandler

from gpugen_server.web.claims import LeaseComplete, LeaseEvents, WorkerClaims, WorkerHandler
from gpugen_server.web.exchange import Exchange
from gpugen_server.web.handler import BODY_SECONDS, JSON_BYTES, Handler, Missing
from gpugen_server.web.health import Healthz, Readyz
from gpugen_server.web.openapi import describe
from gpugen_server.web.patience import Patience
from gpugen_server.web.reference import page
from gpugen_server.web.route import Route
from gpugen_server.web.routes import ROUTES
from gpugen_server.web.services import Services
from gpugen_server.web.tasks import Tasks

MAX_COMMAND = 65_536  # bytes of a websocket message from a client
PING_SECONDS = 20.0
IDLE_SECONDS = 120.0  # until the head of the next request must be there
_OFTEN = (LeaseComplete, LeaseEvents, WorkerClaims, Tasks)  # what a busy server is asked for
log = structlog.get_logger("gpugen_server.access")


class Site(HTTPServerConnectionDelegate):
    """What Tornado's HTTP server serves.

    Every address has one of our handlers, but for the websockets: those are Tornado's own, and so is the way
    to them.

    Args:
        routes: all there is.
    """

    def __init__(self, services: Services, routes: Iterable[Route]) -> None:
        self._services = services
        self.patience = Patience()
        self.routes = tuple(routes)
        often_first = sorted(self.routes, key=lambda route: route.handler not in _OFTEN)
        self._patterns = [(re.compile(route.path.regex), route.handler) for route in often_first]
        sockets = [route for route in self.routes if not issubclass(route.handler, Handler)]
        self._sockets = Application(
            [(f"{route.path.regex}$", route.handler, {"services": services}) for route in sockets],
            log_function=self._note_socket,
            websocket_ping_interval=PING_SECONDS,
            websocket_ping_timeout=PING_SECONDS,
            websocket_max_message_size=MAX_COMMAND,
        )

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """A request is about to come."""
        assert isinstance(request_conn, HTTP1Connection)
        return Reception(self, server_conn, request_conn)

    def receive(
        self, head: RequestStartLine, headers: HTTPHeaders, server_conn: object, connection: HTTP1Connection
    ) -> HTTPMessageDelegate:
        """Who takes the request with that head; its body must be there in time.

        Raises:
            HTTPInputError: it is not well-formed.
        """
        request = HTTPServerRequest(connection=connection, start_line=head, headers=headers)
        kind, holes = self.find(request.path)
        if issubclass(kind, Handler):
            self.patience.begin(connection, kind.body_seconds, request.path)
            return Exchange(kind(self._services, request, holes), connection, self._note)
        self.patience.begin(connection, BODY_SECONDS, request.path)
        connection.set_max_body_size(JSON_BYTES)
        return self._sockets.start_request(server_conn, connection)

    def find(self, path: str) -> tuple[type, dict[str, str]]:
        """The handler at `path`, and what is in the holes of its address."""
        for pattern, kind in self._patterns:
            if found := pattern.fullmatch(path):
                try:
                    return kind, {name: _unquote(text) for name, text in found.groupdict().items()}
                except UnicodeDecodeError:
                    break
        return Missing, {}

    def _note(self, handler: Handler) -> None:
        self._log(handler, handler.request, handler.status)

    def _note_socket(self, handler: RequestHandler) -> None:
        self._log(handler, handler.request, handler.get_status())

    def _log(self, handler: object, request: HTTPServerRequest, status: int) -> None:
        method, seconds = request.method or "", request.request_time()
        self._services.requests.note(type(handler).__name__, method, status, seconds)
        if status < http.HTTPStatus.BAD_REQUEST and _is_chatter(handler, method):
            return
        principal = getattr(handler, "principal", None)
        log.info(
            "request",
            method=method,
            path=request.path,
            status=status,
            milliseconds=round(seconds * 1000, 1),
            user=principal.user if principal else None,
        )


class Reception(HTTPMessageDelegate):
    """Waits for a request, and hands it on to whom its address names."""

    def __init__(self, site: Site, server_conn: object, connection: HTTP1Connection) -> None:
        self._site = site
        self._server_conn = server_conn
        self._connection = connection
        self._taker: HTTPMessageDelegate | None = None
        site.patience.begin(connection, IDLE_SECONDS)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head is there."""
        assert isinstance(start_line, RequestStartLine)
        self._taker = self._site.receive(start_line, headers, self._server_conn, self._connection)
        return self._taker.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Some of the body is there."""
        assert self._taker is not None
        return self._taker.data_received(chunk)

    def finish(self) -> None:
        """All of it is there."""
        assert self._taker is not None
        self._site.patience.end(self._connection)
        self._taker.finish()

    def on_connection_close(self) -> None:
        """The caller hung up; perhaps nobody took the request, for it was none."""
        self._site.patience.end(self._connection)
        if self._taker is not None:
            self._taker.on_connection_close()


def make_site(services: Services) -> Site:
    """All routes over `services`."""
    services.describe = cache(lambda: describe(ROUTES))
    services.reference = cache(lambda: page(services.describe()))
    return Site(services, ROUTES)


def no_forms() -> None:
    """Nothing here reads forms, whose parsers have had many holes. Tornado knows this for a whole process."""
    httputil.set_parse_body_config(
        httputil.ParseBodyConfig(multipart=httputil.ParseMultipartConfig(enabled=False))
    )


def _unquote(text: str) -> str:
    return unquote_to_bytes(text).decode()


def _is_chatter(handler: object, method: str) -> bool:
    """Whether it serves many a second, of which a line would tell nothing new if it went well: what a worker
    does is in the events of its tasks, who submitted what and when in the tasks.
    """
    is_submit = isinstance(handler, Tasks) and method == "POST"
    return is_submit or isinstance(handler, WorkerHandler | Healthz | Readyz)
