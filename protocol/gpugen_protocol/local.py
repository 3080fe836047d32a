"""The runtime file of a private server: how this user's other programs find and trust it."""

from __future__ import annotations

from msgspec import Struct


class RuntimeFile(Struct, frozen=True, kw_only=True):
    """`server.json` in the data directory, readable by its owner alone."""

    url: str
    pid: int
    token: str
    version: str
    prefix: str  # sys.prefix of the environment the server runs in
    started_at: str
