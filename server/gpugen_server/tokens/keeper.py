"""Make, find, list and revoke tokens in the database."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.clock import rfc3339
from gpugen_protocol.errors import NotFound, Unauthorized
from gpugen_protocol.tokens import NewToken, Scope, Token, UserName
from gpugen_server.database import Store
from gpugen_server.database.tables import TokenRow

PREFIXES: dict[Scope, str] = {"user": "gpg_u_", "worker": "gpg_w_", "admin": "gpg_a_"}
SESSION_SECONDS = 3600.0  # how long a worker's session token holds
_USE_NOTED = 60.0  # seconds between two notes of a token's last use
_CHECK = """
SELECT id, scope, owner, worker, parent, expires_at, hash FROM tokens
LEFT JOIN (
  SELECT id AS opener FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
) AS openers ON opener = parent
WHERE hash = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
  AND (parent IS NULL OR opener IS NOT NULL) AND coalesce(uses_left, 1) > 0
"""
_END_LEASES = """
UPDATE tasks SET lease_until = 0, worker = NULL
WHERE state = 'running' AND worker IN (SELECT worker FROM tokens WHERE parent = ? AND worker IS NOT NULL)
"""


class Principal(Struct, frozen=True, kw_only=True):
    """Who sent a request. `worker` is set for a worker's session, `parent` if another token made this one."""

    token: str
    scope: Scope
    user: str
    worker: str | None = None
    parent: str | None = None
    expires_at: float | None = None

    @property
    def owner(self) -> str | None:
        """Whose tasks it sees; None: everybody's."""
        return None if self.scope == "admin" else self.user


def create(
    store: Store,
    /,
    scope: Scope,
    user: str | None = None,
    name: str = "",
    expires_in: float | None = None,
    **fields: Any,
) -> NewToken:
    """Make a token for `user`; None makes a new user. Without `expires_in` (seconds) it holds until revoked.

    `fields` are further columns: `parent`, `uses_left`, `machine`.

    Raises:
        InvalidRequest: `user` is not a name.
    """
    owner = wire.convert(user or f"user-{secrets.token_hex(4)}", UserName)
    return _insert(store, scope, owner, expires_in, name=name, **fields)


def open_session(store: Store, worker: str, opener: Principal) -> str:
    """A new session token for `worker`; earlier ones hold until they expire. Expired ones are swept.

    `opener` is who registered the worker, or an earlier session of it.

    Raises:
        Unauthorized: a one-time token of which another worker has made use.
    """
    if opener.worker is None:
        _count_use(store, opener.token)
    store.change("DELETE FROM tokens WHERE worker IS NOT NULL AND expires_at < ?", store.now)
    parent = opener.parent or opener.token
    return _insert(store, "worker", opener.user, SESSION_SECONDS, worker=worker, parent=parent).token


def check(store: Store, text: str) -> Principal | None:
    """Whose token `text` is; None if it (or what opened its session) is unknown, expired or revoked."""
    hashed = _hash(text)
    found = store.row(_CHECK, store.now, hashed, store.now)
    if found is None:
        return None
    token, scope, user, worker, parent, expires_at, stored = found
    if not hmac.compare_digest(stored, hashed):  # the index has compared already, but not in constant time
        return None
    return Principal(token=token, scope=scope, user=user, worker=worker, parent=parent, expires_at=expires_at)


def note_use(store: Store, token: str) -> None:
    """Note that token `token` (its id) was used; not more often than once a minute, for it is a write.

    The first use of a session uses up the one-time token that opened it.
    """
    noted = store.change(
        "UPDATE tokens SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, 0) < ?",
        store.now,
        token,
        store.now - _USE_NOTED,
    )
    if noted:
        store.change(
            "UPDATE tokens SET uses_left = 0 WHERE uses_left = 1"
            " AND id IN (SELECT parent FROM tokens WHERE id = ? AND worker IS NOT NULL)",
            token,
        )


def listing(store: Store, user: str | None = None) -> list[Token]:
    """All tokens but those of machines and of workers' sessions, newest first.

    With `user` those of scope user of that name: a user may happen to be called as whoever runs the workers.
    """
    made = TokenRow.worker.is_null() & TokenRow.machine.is_null()
    query = TokenRow.select().where(made).order_by(TokenRow.created_at.desc())
    if user is not None:
        query = query.where((TokenRow.owner == user) & (TokenRow.scope == "user"))
    return [_view(row) for row in query.execute(store.database)]


def revoke(store: Store, token: str, user: str | None = None) -> None:
    """End token `token` (its id) now, and with it the sessions it opened and the leases these hold.

    Doing it twice is the same as once. With `user` only a token that `listing` shows to that user.

    Raises:
        NotFound: there is none.
    """
    changed = store.change(
        "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?)"
        " WHERE id = ? AND worker IS NULL AND owner = coalesce(?, owner) AND scope = coalesce(?, scope)",
        store.now,
        token,
        user,
        None if user is None else "user",
    )
    if not changed:
        raise NotFound(f"There is no token {token}.", hint="`gpugen token list` shows their ids.")
    store.change(_END_LEASES, token)  # the next look for expired leases gives their tasks back


def _count_use(store: Store, token: str) -> None:
    """A one-time token serves one worker; that one may ask again until it has the answer in hand."""
    left = store.value(f"SELECT uses_left FROM tokens WHERE id = ?{store.lock}", token)  # noqa: S608
    if left is None:
        return
    if left == 0:
        raise Unauthorized("This token was good for one worker, which has used it.", hint="Make a new one.")
    store.change(
        "UPDATE tokens SET revoked_at = ? WHERE parent = ? AND worker IS NOT NULL AND revoked_at IS NULL",
        store.now,
        token,
    )


def _insert(store: Store, scope: Scope, user: str, expires_in: float | None, **fields: Any) -> NewToken:
    text = PREFIXES[scope] + secrets.token_urlsafe(32)
    expires_at = None if expires_in is None else store.now + expires_in
    made = NewToken(
        id=secrets.token_hex(6),
        token=text,
        scope=scope,
        user=user,
        expires_at=None if expires_at is None else rfc3339(expires_at),
    )
    row = {"name": "", **fields, "created_at": store.now, "expires_at": expires_at}
    TokenRow.insert(id=made.id, hash=_hash(text), scope=scope, owner=user, **row).execute(store.database)
    return made


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _view(row: Any) -> Token:
    return Token(
        id=row.id,
        scope=row.scope,
        user=row.owner,
        name=row.name,
        one_time=row.uses_left is not None,
        created_at=rfc3339(row.created_at),
        expires_at=None if row.expires_at is None else rfc3339(row.expires_at),
        revoked_at=None if row.revoked_at is None else rfc3339(row.revoked_at),
        last_used_at=None if row.last_used_at is None else rfc3339(row.last_used_at),
    )
