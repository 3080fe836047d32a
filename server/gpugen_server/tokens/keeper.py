"""Make, find, list and revoke tokens in the database."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.clock import rfc3339
from gpugen_protocol.errors import NotFound
from gpugen_protocol.tokens import NewToken, Scope, Token, UserName
from gpugen_server.database import Store
from gpugen_server.database.tables import TokenRow

PREFIXES: dict[Scope, str] = {"user": "gpg_u_", "worker": "gpg_w_", "admin": "gpg_a_"}
SESSION_SECONDS = 3600.0  # how long a worker's session token holds
_USE_NOTED = 60.0  # seconds between two notes of a token's last use
_CHECK = """
SELECT id, scope, owner, worker, parent, expires_at FROM tokens
LEFT JOIN (
  SELECT id AS opener FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
) AS openers ON opener = parent
WHERE hash = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
  AND (parent IS NULL OR opener IS NOT NULL)
"""


class Principal(Struct, frozen=True, kw_only=True):
    """Who sent a request. `worker` and `parent` (the token that opened it) are set for a worker's session."""

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
    store: Store, scope: Scope, user: str | None = None, name: str = "", expires_in: float | None = None
) -> NewToken:
    """Make a token for `user`; None makes a new user. Without `expires_in` (seconds) it holds until revoked.

    Raises:
        InvalidRequest: `user` is not a name.
    """
    owner = wire.convert(user or f"user-{secrets.token_hex(4)}", UserName)
    return _insert(store, scope, owner, expires_in, name=name)


def open_session(store: Store, worker: str, opener: Principal) -> str:
    """A new session token for `worker`; earlier ones hold until they expire. Expired ones are swept.

    `opener` is who registered the worker, or an earlier session of it.
    """
    store.change("DELETE FROM tokens WHERE worker IS NOT NULL AND expires_at < ?", store.now)
    parent = opener.parent or opener.token
    return _insert(store, "worker", opener.user, SESSION_SECONDS, worker=worker, parent=parent).token


def check(store: Store, text: str) -> Principal | None:
    """Whose token `text` is; None if it (or what opened its session) is unknown, expired or revoked."""
    found = store.row(_CHECK, store.now, _hash(text), store.now)
    if found is None:
        return None
    token, scope, user, worker, parent, expires_at = found
    return Principal(token=token, scope=scope, user=user, worker=worker, parent=parent, expires_at=expires_at)


def note_use(store: Store, token: str) -> None:
    """Note that token `token` (its id) was used; not more often than once a minute, for it is a write."""
    store.change(
        "UPDATE tokens SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, 0) < ?",
        store.now,
        token,
        store.now - _USE_NOTED,
    )


def listing(store: Store, user: str | None = None) -> list[Token]:
    """All tokens but the session tokens of workers, newest first; those of `user` alone if one is named."""
    query = TokenRow.select().where(TokenRow.worker.is_null()).order_by(TokenRow.created_at.desc())
    if user is not None:
        query = query.where(TokenRow.owner == user)
    return [_view(row) for row in query.execute(store.database)]


def revoke(store: Store, token: str) -> None:
    """End token `token` (its id) now; doing it twice is the same as once.

    Raises:
        NotFound: there is none.
    """
    changed = store.change(
        "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", store.now, token
    )
    if not changed:
        raise NotFound(f"There is no token {token}.", hint="`gpugen token list` shows their ids.")


def _insert(
    store: Store, scope: Scope, user: str, expires_in: float | None, **fields: str | None
) -> NewToken:
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
        created_at=rfc3339(row.created_at),
        expires_at=None if row.expires_at is None else rfc3339(row.expires_at),
        revoked_at=None if row.revoked_at is None else rfc3339(row.revoked_at),
        last_used_at=None if row.last_used_at is None else rfc3339(row.last_used_at),
    )
