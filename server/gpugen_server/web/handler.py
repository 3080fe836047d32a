"""What every handler does alike: token, size of the body, JSON in and out, errors as problem documents."""

from __future__ import annotations

import http
import time
from types import TracebackType
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
import structlog
from tornado.http1connection import HTTP1Connection
from tornado.web import HTTPError, RequestHandler, stream_request_body

from gpugen_protocol import wire
from gpugen_protocol.errors import (
    PROBLEM_TYPE,
    BodyTooLarge,
    Forbidden,
    GpugenError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
)
from gpugen_server.tokens.keeper import Principal
from gpugen_server.web.services import Services

T = TypeVar("T")
Role = Literal["public", "user", "admin", "registration", "session"]

JSON_BYTES = 65_536
LARGEST_JSON = 2**21  # bytes after which a connection is cut that sends more than it may
BODY_SECONDS = 60.0  # until a body must be there
IMAGE_SECONDS = 300.0  # the same, of an image
_LONGEST_LENGTH = 18  # digits of a Content-Length; Python refuses to read thousands of them
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

log = structlog.get_logger(__name__)


class Endpoint(RequestHandler):
    """The base of every handler, websocket included. A class that declares no role is closed to everybody.

    Roles: `public`; `user` (a user's or an admin's token); `admin` (an admin's alone); `registration` (a
    worker's token, good for opening a session and nothing else); `session` (the token that a worker's session
    got).
    """

    role: ClassVar[Role | None] = None
    keeps_awake: ClassVar[bool] = True  # whether a private server counts a user's request as use
    principal: Principal

    def initialize(self, services: Services) -> None:
        """Tornado's constructor for our own arguments."""
        self.services = services

    def set_default_headers(self) -> None:
        """Headers of every answer; nothing here is a page, and nobody needs to know what serves it."""
        self.clear_header("Server")
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    async def authorize(self) -> None:
        """Let nobody in whose token does not have this handler's role.

        Raises:
            Unauthorized, Forbidden.
        """
        if self.role == "public":
            return
        self.principal = await self.services.gate.identify(
            self.request.headers.get("Authorization"), self.request.remote_ip or ""
        )
        if self.role is None or self.role not in _roles(self.principal):
            raise Forbidden(hint=_HINTS.get(self.role, ""))
        # An idle worker that asks for work, or a display that counts, lets the server be idle.
        if self.role == "user" and self.keeps_awake:
            self.services.last_request = time.monotonic()

    def query(self, kind: type[T]) -> T:
        """The query string as a checked `kind`.

        Raises:
            InvalidRequest: a parameter is unknown or does not fit.
        """
        values = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        try:
            return msgspec.convert(values, kind, strict=False)
        except msgspec.ValidationError as error:
            raise wire.invalid(str(error)) from None

    def answer(self, value: Any, status: int = 200) -> None:
        """Send `value` as JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(wire.encode(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The one place where errors become answers."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        problem = _in_our_words(error, status_code).problem()
        self.set_status(problem.status)
        self.set_header("Content-Type", PROBLEM_TYPE)
        if problem.status == http.HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", "Bearer")
        if problem.retry_after is not None:
            self.set_header("Retry-After", str(max(1, round(problem.retry_after))))
        self.finish(wire.encode(problem))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Only what nobody foresaw deserves a traceback."""
        if not isinstance(value, GpugenError | HTTPError):
            log.error("unexpected error", path=self.request.path, exc_info=(typ, value, tb))

    def compute_etag(self) -> str | None:
        """None: answers change, and hashing them all costs more than it saves."""
        return None


@stream_request_body
class Handler(Endpoint):
    """A handler that reads a body only after the token is checked, and no more of it than it may have."""

    max_body = JSON_BYTES
    body_seconds = BODY_SECONDS

    def initialize(self, services: Services) -> None:
        """As of every endpoint; what arrives of the body collects here."""
        super().initialize(services)
        self._body = bytearray()

    async def prepare(self) -> None:
        """Check the token, then the size that the client announces."""
        await self.authorize()
        await self.admit()
        self._check_length(self.request.headers.get("Content-Length", "0"))
        self._make_room()

    async def admit(self) -> None:
        """What a handler wants to know before it reads the body, such as how large it may be."""

    def data_received(self, chunk: bytes) -> None:
        """Collect the body; beyond the limit it is dropped, and `check_body` complains."""
        if len(self._body) <= self.max_body:
            self._body += chunk

    async def _execute(self, *args: Any, **kw: Any) -> None:
        """Tornado's way through a request; it goes on to its end even if whoever asked has hung up."""
        self.services.enter()
        try:
            await super()._execute(*args, **kw)
        finally:
            self.services.leave()

    def body(self) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge.
        """
        if len(self._body) > self.max_body:
            raise self._too_large()
        return bytes(self._body)

    def read(self, kind: type[T]) -> T:
        """The body as a checked `kind`.

        Raises:
            BodyTooLarge, InvalidRequest.
        """
        return wire.decode(self.body(), kind)

    def _make_room(self) -> None:
        """Tornado cuts a connection that sends much more, or that takes too long."""
        connection = self.request.connection
        if isinstance(connection, HTTP1Connection):
            connection.set_max_body_size(max(LARGEST_JSON, self.max_body + JSON_BYTES))
            connection.set_body_timeout(self.body_seconds)

    def _check_length(self, announced: str) -> None:
        if not (announced.isascii() and announced.isdecimal()):
            raise InvalidRequest("The Content-Length is not a number.")
        if len(announced) > _LONGEST_LENGTH or int(announced) > self.max_body:
            raise self._too_large()

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body may have at most {self.max_body:,} bytes.")


class Missing(Handler):
    """Every address that the table of routes does not know."""

    role = "public"

    async def prepare(self) -> None:
        """There is nothing here, for anybody."""
        raise NotFound(f"There is nothing at {self.request.path}.", hint="/openapi.json lists what there is.")


_HINTS: dict[Role | None, str] = {
    "user": "This needs a token of scope user or admin.",
    "admin": "This needs a token of scope admin.",
    "registration": "This needs a token of scope worker, as `gpugen token create --scope worker` makes it.",
    "session": "Open a worker session first; its token does this.",
}


def _roles(principal: Principal) -> tuple[Role, ...]:
    if principal.scope == "worker":
        return ("registration",) if principal.worker is None else ("session",)
    return ("user", "admin") if principal.scope == "admin" else ("user",)


def _in_our_words(error: BaseException | None, status: int) -> GpugenError:
    if isinstance(error, GpugenError):
        return error
    if status == http.HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed()
    if status == http.HTTPStatus.NOT_FOUND:
        return NotFound()
    if http.HTTPStatus.BAD_REQUEST <= status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvalidRequest()
    return GpugenError("Something unexpected happened in the server.", hint="Its log tells more.")
