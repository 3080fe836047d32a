"""For how long the server has not been reached, in time that was spent on trying."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_TRY = 30.0  # seconds; what an attempt and the pause after it may take


class Outage:
    """Counts what passes between failures, of each gap at most `LONGEST_TRY`.

    So a machine that was asleep for an hour gets its whole patience after it woke: some clocks count sleep,
    and the network needs some seconds more than the program to be back.

    Args:
        patience: seconds after which trying is given up.
        clock: gives seconds; for tests.
    """

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._failed_at: float | None = None
        self._spent = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the last attempt failed."""
        return self._failed_at is not None

    @property
    def hopeless(self) -> bool:
        """Whether it has lasted longer than the patience."""
        return self._spent > self._patience

    def fail(self) -> None:
        """An attempt failed."""
        now = self._clock()
        if self._failed_at is not None:
            self._spent += min(LONGEST_TRY, now - self._failed_at)
        self._failed_at = now

    def end(self) -> None:
        """The server was heard."""
        self._failed_at, self._spent = None, 0.0
