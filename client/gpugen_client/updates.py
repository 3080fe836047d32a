"""Follow tasks while they happen: any number of watches over one thread and one websocket."""

from __future__ import annotations

import threading

from gpugen_client.connection import Connection
from gpugen_client.feed import Feed
from gpugen_client.watch import Watch


class Updates:
    """The live events of one user's tasks.

    The thread starts with the first watch, and ends with `close` or a while after the last watch; it is a
    daemon, and it never writes anything anywhere.

    Args:
        connection: server and token.
        patience: seconds without any answer after which watches end with ServerUnreachable.
    """

    def __init__(self, connection: Connection, *, patience: float = 120.0) -> None:
        self._connection = connection
        self._patience = patience
        self._feed: Feed | None = None
        self._lock = threading.Lock()

    def watch(self, task: str, after: int = 0) -> Watch:
        """Follow `task` from the numbered event after number `after` on.

        The watch ends with Unauthorized, Forbidden, NotFound or ServerUnreachable if that is the answer.
        """
        watch = Watch(task, after)
        with self._lock:
            if self._feed is None or not self._feed.add(watch):
                self._feed = Feed(self._connection, self._patience)
                self._feed.add(watch)
                self._feed.start()
        return watch

    def close(self) -> None:
        """End all watches and the thread; a later `watch` starts anew."""
        with self._lock:
            feed, self._feed = self._feed, None
        if feed is not None:
            feed.stop()
