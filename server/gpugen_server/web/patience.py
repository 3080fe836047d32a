"""Cuts connections on which nothing comes for too long."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

import structlog
from tornado.http1connection import HTTP1Connection

_GLANCE = 1.0  # seconds between two looks: nobody is cut too early, and none much later

log = structlog.get_logger(__name__)


class Patience:
    """Until when what is awaited must be there, for all connections of a server.

    One timer looks at all of them: one for each head and each body, as Tornado has them, costs a request more
    than its route and its token together. A connection that ends by itself is forgotten.
    """

    def __init__(self) -> None:
        self._deadlines: WeakKeyDictionary[HTTP1Connection, tuple[float, str]] = WeakKeyDictionary()
        self._glance: asyncio.TimerHandle | None = None

    def begin(self, connection: HTTP1Connection, seconds: float, path: str = "") -> None:
        """From now on there are `seconds` for the body of a request for `path`, or for a head."""
        loop = asyncio.get_running_loop()
        self._deadlines[connection] = loop.time() + seconds, path
        if self._glance is None:
            self._glance = loop.call_later(_GLANCE, self._look)

    def end(self, connection: HTTP1Connection) -> None:
        """It is there, or is not awaited any more."""
        self._deadlines.pop(connection, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._glance = loop.call_later(_GLANCE, self._look) if self._deadlines else None
        for connection, (deadline, path) in list(self._deadlines.items()):
            if deadline <= loop.time():
                self._cut(connection, path)

    def _cut(self, connection: HTTP1Connection, path: str) -> None:
        if path:  # a connection that asks for nothing is no news
            log.info("a body did not come in time", path=path)
        self.end(connection)
        connection.close()
