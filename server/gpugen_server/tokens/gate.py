"""Who sent this request? Answers from memory for a moment, so that a busy worker costs no look-up a post."""

from __future__ import annotations

import contextlib
import hashlib
import time

from gpugen_protocol.errors import GpugenError, TooManyRequests, Unauthorized
from gpugen_server.database import Database
from gpugen_server.tokens import keeper
from gpugen_server.tokens.keeper import Principal
from gpugen_server.tokens.throttle import Throttle

_REMEMBERED = 2.0  # seconds after which a token that was revoked elsewhere is refused at the latest
_MOST = 10_000  # tokens in memory
_FAILURES_PER_MINUTE = 60  # of one address; then strangers from there have to wait


class Gate:
    """Checks bearer tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[Principal, float]] = {}  # by the hash of the token
        self._failures = Throttle(_FAILURES_PER_MINUTE)

    async def identify(self, authorization: str | None, address: str = "") -> Principal:
        """Whose token the `Authorization` header carries, sent from `address`.

        Raises:
            Unauthorized: there is none, or it does not hold.
            TooManyRequests: too many wrong tokens came from there. Whoever was known before is let in still.
        """
        scheme, _, text = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthorized("The request carries no token.", hint="Send Authorization: Bearer TOKEN.")
        principal = self._remembered(_key(text)) or await self._look_up(text.strip(), address)
        if principal is None:
            self._known.pop(_key(text), None)
            self._failures.take(address)
            raise Unauthorized(hint="`gpugen token create` makes a new one.")
        return principal

    def knows(self, authorization: str) -> bool:
        """Whether that header carries a token which was good a moment ago; `identify` says if it still is."""
        return _key(authorization.partition(" ")[2]) in self._known

    def forget(self) -> None:
        """Look every token up anew."""
        self._known = {key: (principal, 0.0) for key, (principal, _) in self._known.items()}

    def _remembered(self, key: bytes) -> Principal | None:
        principal, until = self._known.get(key, (None, 0.0))
        if principal is None or until < time.monotonic():
            return None
        if principal.expires_at is not None and principal.expires_at < self._database.now():
            return None
        return principal

    def _check_patience(self, key: bytes, address: str) -> None:
        wait = self._failures.wait(address)
        if wait and key not in self._known:
            raise TooManyRequests(f"Too many wrong tokens came from {address}.", retry_after=wait)

    async def _look_up(self, text: str, address: str) -> Principal | None:
        self._check_patience(_key(text), address)
        principal = await self._database.run(keeper.check, text)
        if len(self._known) >= _MOST:
            self._known.clear()
        if principal is not None:
            self._known[_key(text)] = (principal, time.monotonic() + _REMEMBERED)
            with contextlib.suppress(GpugenError):  # a full disk must not keep anybody from reading
                await self._database.run(keeper.note_use, principal.token)
        return principal


def _key(text: str) -> bytes:
    return hashlib.sha256(text.strip().encode()).digest()
