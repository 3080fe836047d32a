"""How many tasks may be in the queue: of one user, and of all."""

from __future__ import annotations

import time

from gpugen_protocol.errors import TooManyTasks
from gpugen_server.database import Store

_RETRY_AFTER = 15.0  # seconds; a guess, for tasks end when they end
_FRESH = 1.0  # seconds for which a count holds
_MOST_USERS = 10_000  # in memory
_PATIENCE = 50  # a count of a very long queue is taken so rarely that it costs a fiftieth of the time

_OWN = """
SELECT count(*) FROM (
  SELECT 1 FROM tasks WHERE state = 'queued' AND owner = ? LIMIT ?
) AS waiting
"""


class Limits:
    """The caps of one server.

    Args:
        per_user: tasks of one user that wait; 0: any number. Counted anew when a moment has passed or the cap
            seems reached, in between what comes is added: counting ten thousand tasks for every submit would
            cost more than the submit. What other servers take in that moment may be too many.
        total: tasks of all users that wait; 0: any number. Checked against a count a moment old.
    """

    def __init__(self, per_user: int = 0, total: int = 0) -> None:
        self._per_user = per_user
        self._total = total
        self._own: dict[str, tuple[int, float]] = {}  # by user: a count, and until when it holds
        self._counted = 0
        self._stale_at = 0.0

    def check(self, store: Store, user: str) -> None:
        """Call this before a task of `user` is written.

        Raises:
            TooManyTasks: a cap is reached.
        """
        if self._per_user and self._waiting_of(store, user) >= self._per_user:
            raise TooManyTasks(
                f"You have {self._per_user:,} tasks waiting, as many as one user may have.",
                hint="Wait until some are done, or cancel some.",
                retry_after=_RETRY_AFTER,
            )
        if self._total and self._waiting(store) >= self._total:
            raise TooManyTasks(
                f"{self._total:,} tasks are waiting, as many as this server takes.",
                hint="Try again later.",
                retry_after=_RETRY_AFTER,
            )

    def _waiting_of(self, store: Store, user: str) -> int:
        counted, stale_at = self._own.get(user, (0, 0.0))
        now = time.monotonic()
        if counted >= self._per_user or now >= stale_at:
            counted, stale_at = store.value(_OWN, user, self._per_user), now + _FRESH
        if len(self._own) >= _MOST_USERS:
            self._own.clear()
        self._own[user] = (counted + 1, stale_at)  # the one that is being written
        return int(counted)

    def _waiting(self, store: Store) -> int:
        began = time.monotonic()
        if began >= self._stale_at:
            self._counted = store.value("SELECT count(*) FROM tasks WHERE state = 'queued'")
            ended = time.monotonic()
            self._stale_at = ended + max(_FRESH, _PATIENCE * (ended - began))
        else:
            self._counted += 1  # the one that is being written
        return self._counted
