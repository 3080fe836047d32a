"""Tokens: who may do what."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

Scope = Literal["user", "worker", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LOCAL_USER = "local"

UserName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]


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
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    last_used_at: str | None = None
