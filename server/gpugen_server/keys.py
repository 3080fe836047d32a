"""The tokens a server makes for itself at each start; those of its former life end."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gpugen_protocol.tokens import LOCAL_USER
from gpugen_server import tokens
from gpugen_server.autoscale.provider import WORKER_USER
from gpugen_server.database import Database, Store
from gpugen_server.settings import Settings

_WORKER, _USER = "autoscaler", "private server"  # the names of these tokens


class Keys(Struct, frozen=True):
    """What the server needs to know of tokens.

    Attributes:
        exist: whether anybody has a token.
        user: of a private server, the token for its user's programs; else empty.
        worker: the token for the autoscaler's workers; empty without one.
    """

    exist: bool
    user: str = ""
    worker: str = ""

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
        own = {_WORKER, _USER}
        exist = any(token.revoked_at is None and token.name not in own for token in tokens.listing(store))
        worker = user = ""
        if settings.autoscaler != "none":
            worker = _fresh(store, "worker", WORKER_USER, _WORKER)
        if settings.private:
            user = _fresh(store, "user", LOCAL_USER, _USER)
        return cls(exist, user, worker)


def _fresh(store: Store, scope: Any, user: str, name: str) -> str:
    """A new token in place of the one of the server's former life."""
    store.change("DELETE FROM tokens WHERE owner = ? AND (name = ? OR worker IS NOT NULL)", user, name)
    return tokens.create(store, scope, user, name).token
