"""Leases that were looked up a moment ago: progress and previews, several a second, need no look each.

What is remembered holds for as long as the lease would not have been renewed anyway, and only until anything
numbered happens to its task, at whichever server: an end, a cancel, a new attempt. So a report that is told
from memory is one that the database would have taken as well.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from gpugen_server.queue.lease import RENEWED, Held

_MOST = 10_000  # leases in memory


class Holds:
    """The leases of this process's workers.

    Args:
        lease_seconds: how long a lease lasts.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._seconds = lease_seconds * RENEWED
        self._known: OrderedDict[str, tuple[Held, str, float]] = OrderedDict()  # by task

    def get(self, lease: str, worker: str) -> Held | None:
        """The task that `worker` holds by `lease`, if it surely still does."""
        held, holder, until = self._known.get(lease.split("-", 1)[0], (None, "", 0.0))
        if held is None or held.lease != lease or holder != worker or until < time.monotonic():
            return None
        return held

    def keep(self, held: Held, worker: str) -> None:
        """The database has just said so, and renewed the lease."""
        self._known[held.task.id] = (held, worker, time.monotonic() + self._seconds)
        self._known.move_to_end(held.task.id)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def forget(self, task: str) -> None:
        """Something happened to `task`."""
        self._known.pop(task, None)
