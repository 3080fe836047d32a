"""Tokens: who may do what."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

Scope = Literal["user", "worker", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LOCAL_USER = "local"

UserName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}(?!\n)$")]


class TokenRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make a token: admins any, others one of scope user for themselves, which ends with their own.

    Attributes:
        user: whose token; None: the asker's own, from an admin a new user.
        expires_in: seconds it holds; None: until it is revoked.
        one_time: of a worker's registration token: it opens the session of one worker, and no other.
    """

    scope: Scope = "user"
    user: UserName | None = None
    name: Annotated[str, Meta(max_length=200)] = ""
    expires_in: Annotated[float, Meta(ge=1, le=315_360_000)] | None = None
    one_time: bool = False


class NewToken(Struct, frozen=True, kw_only=True):
    """A token just made: the only moment its text is known."""

    id: str
    token: str
    scope: Scope
    user: str
    expires_at: str | None = None


class Token(Struct, frozen=True, kw_only=True):
    """A token as it is listed."""

    id: str
    scope: Scope
    user: str
    name: str
    one_time: bool = False
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    last_used_at: str | None = None


class TokenList(Struct, frozen=True, kw_only=True):
    """Tokens, newest first."""

    tokens: tuple[Token, ...]
