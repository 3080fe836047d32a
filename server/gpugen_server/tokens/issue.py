"""Tokens made by whoever has one: admins make any, others narrower ones of their own."""

from __future__ import annotations

import msgspec

from gpugen_protocol.errors import FieldError, Forbidden, InvalidRequest, TooManyRequests
from gpugen_protocol.tokens import NewToken, TokenRequest
from gpugen_server.database import Store
from gpugen_server.queue import foreign
from gpugen_server.tokens import keeper
from gpugen_server.tokens.keeper import Principal

MOST = 100  # tokens of one user that hold
_HOLDING = """
SELECT count(*) FROM tokens
WHERE owner = ? AND worker IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
"""


OPERATOR = Principal(token="", scope="admin", user="")  # whoever may open the database itself


def issue(store: Store, maker: Principal, asked: TokenRequest) -> NewToken:
    """Make the token that `maker` asked for.

    Raises:
        Forbidden: it would be allowed more than `maker` is.
        InvalidRequest: a one-time token that is no registration token.
        TooManyRequests: the user has too many already.
    """
    if asked.one_time and asked.scope != "worker":
        raise InvalidRequest(
            "Only a worker's registration token can be a one-time token.",
            errors=(FieldError("one_time", "goes with scope worker only"),),
        )
    asked = msgspec.structs.replace(asked, name=foreign.line(asked.name))
    if maker.scope != "admin":
        return _narrower(store, maker, asked)
    uses_left = 1 if asked.one_time else None
    return keeper.create(store, asked.scope, asked.user, asked.name, asked.expires_in, uses_left=uses_left)


def _narrower(store: Store, maker: Principal, asked: TokenRequest) -> NewToken:
    """It ends with the one that made it: a stolen token must not live on in others."""
    if asked.scope != "user" or asked.user not in (None, maker.user):
        raise Forbidden("Only admins make tokens for others, for workers and for admins.")
    if maker.parent is not None:
        raise Forbidden("A token that another token has made makes no more.", hint="Use that other one.")
    if store.value(_HOLDING, maker.user, store.now) >= MOST:
        raise TooManyRequests(
            f"You have {MOST} tokens, as many as one user may have.", hint="Revoke some.", retry_after=60.0
        )
    left = None if maker.expires_at is None else maker.expires_at - store.now
    seconds = min((one for one in (left, asked.expires_in) if one is not None), default=None)
    return keeper.create(store, "user", maker.user, asked.name, seconds, parent=maker.token)
