"""The token a private server makes for its user at each start; that of its former life ends."""

from __future__ import annotations

from msgspec import Struct

from gpugen_protocol.tokens import LOCAL_USER
from gpugen_server import tokens
from gpugen_server.database import Database, Store
from gpugen_server.settings import Settings

_USER = "private server"  # the name of this token


class Keys(Struct, frozen=True):
    """What the server needs to know of tokens.

    Attributes:
        exist: whether anybody has a token.
        user: of a private server, the token for its user's programs; else empty.
    """

    exist: bool
    user: str = ""

    @classmethod
    def renew(cls, settings: Settings) -> Keys:
        """Make fresh tokens in the database, which is brought up to date."""
        database = Database(settings.database_url)
        try:
            database.prepare()
            return database.call(cls._renew, settings)
        finally:
            database.disconnect()

    @classmethod
    def _renew(cls, store: Store, settings: Settings) -> Keys:
        exist = any(token.revoked_at is None and token.name != _USER for token in tokens.listing(store))
        if not settings.private:
            return cls(exist)
        store.change("DELETE FROM tokens WHERE owner = ? AND name = ?", LOCAL_USER, _USER)
        return cls(exist, tokens.create(store, "user", LOCAL_USER, _USER).token)
