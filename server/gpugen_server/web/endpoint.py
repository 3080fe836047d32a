"""What all that have an address share, the websocket too: who may come in, and the query string."""

from __future__ import annotations

import re
import time
from typing import ClassVar, Literal, TypeVar

import msgspec
from tornado.httputil import HTTPServerRequest

from gpugen_protocol import wire
from gpugen_protocol.errors import Forbidden, InvalidRequest
from gpugen_server.tokens.keeper import Principal
from gpugen_server.web.services import Services

T = TypeVar("T")
Role = Literal["public", "user", "admin", "registration", "session"]

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_HINTS: dict[Role | None, str] = {
    "user": "This needs a token of scope user or admin.",
    "admin": "This needs a token of scope admin.",
    "registration": "This needs a token of scope worker, as `gpugen token create --scope worker` makes it.",
    "session": "Open a worker session first; its token does this.",
}
_ROLES: dict[str, tuple[Role, ...]] = {"admin": ("user", "admin"), "user": ("user",)}


class Endpoint:
    """A class that declares no role is closed to everybody.

    Roles: `public`; `user` (a user's or an admin's token); `admin` (an admin's alone); `registration` (a
    worker's token, good for opening a session and nothing else); `session` (the token that a worker's session
    got).
    """

    role: ClassVar[Role | None] = None
    keeps_awake: ClassVar[bool] = True  # whether a private server counts a user's request as use
    services: Services
    request: HTTPServerRequest
    principal: Principal

    async def authorize(self) -> None:
        """Let nobody in whose token does not have this role.

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
        """The query string as a checked `kind`; of what is there twice the last counts.

        Raises:
            InvalidRequest: a parameter is unknown or does not fit.
        """
        try:
            values = {name: _text(given[-1]) for name, given in self.request.query_arguments.items()}
            return msgspec.convert(values, kind, strict=False)
        except UnicodeDecodeError:
            raise InvalidRequest("The query string is not UTF-8.") from None
        except msgspec.ValidationError as error:
            raise wire.invalid(str(error)) from None


def _text(value: bytes) -> str:
    return _CONTROLS.sub(" ", value.decode()).strip()


def _roles(principal: Principal) -> tuple[Role, ...]:
    if principal.scope == "worker":
        return ("registration",) if principal.worker is None else ("session",)
    return _ROLES[principal.scope]
