"""Who sent this request? Answers from memory for a moment, so that a busy worker costs no look-up a post."""

from __future__ import annotations

import contextlib
import time

from gpugen_protocol.errors import GpugenError, Unauthorized
from gpugen_server.database import Database
from gpugen_server.tokens import keeper
from gpugen_server.tokens.keeper import Principal

_REMEMBERED = 2.0  # seconds after which a token that was revoked elsewhere is refused at the latest
_MOST = 10_000  # tokens in memory


class Gate:
    """Checks bearer tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[Principal, float]] = {}

    async def identify(self, authorization: str | None) -> Principal:
        """Whose token the `Authorization` header carries.

        Raises:
            Unauthorized: there is none, or it does not hold.
        """
        scheme, _, text = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthorized("The request carries no token.", hint="Send Authorization: Bearer TOKEN.")
        principal = self._remembered(text.strip()) or await self._look_up(text.strip())
        if principal is None:
            raise Unauthorized(hint="`gpugen token create` makes a new one.")
        return principal

    def forget(self) -> None:
        """Look every token up anew."""
        self._known.clear()

    def _remembered(self, text: str) -> Principal | None:
        principal, until = self._known.get(text, (None, 0.0))
        if principal is None or until < time.monotonic():
            return None
        if principal.expires_at is not None and principal.expires_at < time.time():
            return None
        return principal

    async def _look_up(self, text: str) -> Principal | None:
        principal = await self._database.run(keeper.check, text)
        if len(self._known) >= _MOST:
            self._known.clear()
        if principal is not None:
            self._known[text] = (principal, time.monotonic() + _REMEMBERED)
            with contextlib.suppress(GpugenError):  # a full disk must not keep anybody from reading
                await self._database.run(keeper.note_use, principal.token)
        return principal
