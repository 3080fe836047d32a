"""What every handler does alike: size of the body, JSON in and out, errors as problem documents."""

from __future__ import annotations

import re
from typing import Any, ClassVar, TypeVar

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from gpugen_protocol import wire
from gpugen_protocol.errors import BodyTooLarge, InvalidRequest, MethodNotAllowed, NotFound
from gpugen_server.web import problem
from gpugen_server.web.endpoint import Endpoint
from gpugen_server.web.services import Services

T = TypeVar("T")

JSON_BYTES = 65_536
BODY_SECONDS = 60.0  # until a body must be there
IMAGE_SECONDS = 300.0  # the same, of an image
_LONGEST_LENGTH = 18  # digits of a Content-Length; Python refuses to read thousands of them
_ENDLESS = 10**_LONGEST_LENGTH
_METHODS = {"GET": "get", "POST": "post", "PUT": "put", "DELETE": "delete"}
_TAGS = re.compile(r'"[^"]*"')


class Handler(Endpoint):
    """The base of every handler but the websocket's; each request has one of its own.

    Its methods have the names of HTTP's and take what the address has for its holes, as texts. They fill in
    the answer, which is sent once they return; an error becomes the answer instead. See `Exchange` for the
    rest.

    Attributes:
        holes: what the address has for its holes.
        status, headers, content: the answer.
    """

    body_seconds: ClassVar[float] = BODY_SECONDS
    max_body: int = JSON_BYTES

    def __init__(self, services: Services, request: HTTPServerRequest, holes: dict[str, str]) -> None:
        self.services = services
        self.request = request
        self.holes = holes
        self.status = 200
        self.headers = dict(problem.HEADERS)
        self.content = b""
        self._body = bytearray()

    async def admit(self) -> None:
        """Check the token, then the size that the client announces; of nobody else a body is read.

        Raises:
            GpugenError: what the request is refused with.
        """
        await self.authorize()
        await self.expect_body()
        self._check_length()

    async def expect_body(self) -> None:
        """What is to be known before the body is read, such as how large it may be."""

    async def handle(self) -> None:
        """Do what is asked.

        Raises:
            GpugenError: what the request is answered with instead.
        """
        name = _METHODS.get(self.request.method or "")
        method = getattr(self, name, None) if name else None
        if method is None:
            raise MethodNotAllowed()
        await method(**self.holes)

    def receive(self, chunk: bytes) -> None:
        """Collect the body; beyond the limit it is dropped, and `body` complains."""
        if len(self._body) <= self.max_body:
            self._body += chunk

    def hang_up(self) -> None:
        """Whoever asked is not there any more. The request is carried out to its end all the same."""

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

    def answer(self, value: Any, status: int = 200) -> None:
        """Answer with `value` as JSON."""
        self.send(wire.encode(value), "application/json")
        self.status = status

    def send(self, content: bytes, kind: str) -> None:
        """Answer with `content`, of MIME type `kind`."""
        self.content = content
        self.headers["Content-Type"] = kind

    def complain(self, error: BaseException) -> None:
        """Answer with what went wrong, and with nothing of what was to be the answer."""
        problem.note(error, self.request.path)
        found = problem.of(error)
        methods = [name for name, method in _METHODS.items() if hasattr(self, method)]
        self.status, self.content = found.status, wire.encode(found)
        self.headers = problem.headers(found, methods)

    def is_known(self, tag: str) -> bool:
        """Whether the caller has the content with this ETag already (RFC 9110, 13.1.2)."""
        given = self.request.headers.get("If-None-Match", "")
        return given.strip() == "*" or tag in _TAGS.findall(given)

    def _check_length(self) -> None:
        length = announced_length(self.request.headers)
        if length is None:
            raise InvalidRequest("The Content-Length is not a number.")
        if length > self.max_body:
            raise self._too_large()

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body may have at most {self.max_body:,} bytes.")


class Missing(Handler):
    """Every address that the table of routes does not know."""

    role = "public"

    async def admit(self) -> None:
        """There is nothing here, for anybody."""
        raise NotFound(f"There is nothing at {self.request.path}.", hint="/openapi.json lists what there is.")


def announced_length(headers: HTTPHeaders) -> int | None:
    """Bytes of the body, as its head says; None if that is no number."""
    text = headers.get("Content-Length", "0")
    if not (text.isascii() and text.isdecimal()):
        return None
    return int(text) if len(text) <= _LONGEST_LENGTH else _ENDLESS
