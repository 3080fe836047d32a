"""Whether transactions are so quick here that the event loop may run them itself."""

from __future__ import annotations

import time
from collections.abc import Callable

SLOW = 0.005  # seconds for which the event loop may stand still: for one, and for all in one of its turns
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 600.0  # seconds
CALM = 1000  # quick ones in a row after which slow ones are forgotten
STRETCH = 250  # on the event loop in a row, then one on the thread, which brings SQLite's log home


class Pace:
    """After a slow one the event loop leaves them to the thread, twice as long as the last time.

    So a disk that flushes slowly costs the event loop one flush now and then, however slow it always is.
    Many quick ones at once, as of workers that all wake for one task, are not slow, but wait for the thread.

    Attributes:
        spent: seconds that they took of this turn of the event loop.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._resumes_at = 0.0
        self._pause = FIRST_PAUSE
        self._quick = 0
        self._stretch = 0
        self.spent = 0.0

    def allows_one(self) -> bool:
        """Whether the next one may run on the event loop."""
        if self.spent > SLOW or self._clock() < self._resumes_at:
            return False
        self._stretch += 1
        if self._stretch > STRETCH:
            self._stretch = 0
            return False
        return True

    def note(self, seconds: float) -> None:
        """How long the event loop had to wait."""
        self.spent += seconds
        if seconds > SLOW:
            self._resumes_at = self._clock() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._quick = 0
            return
        self._quick += 1
        if self._quick == CALM:
            self._pause = FIRST_PAUSE

    def turn(self) -> None:
        """The event loop has seen to everybody else."""
        self.spent = 0.0
