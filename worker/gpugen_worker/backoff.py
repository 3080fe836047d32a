"""How long to wait before trying again: longer each time, and never in step with other workers."""

from __future__ import annotations

import random


class Backoff:
    """Grows from `first` to `longest` seconds, each with a random part."""

    def __init__(self, first: float = 0.2, longest: float = 15.0) -> None:
        self._first = self._next = first
        self._longest = longest

    def next(self) -> float:
        """Seconds to wait now."""
        delay, self._next = self._next, min(self._next * 2, self._longest)
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        """It worked: the next wait is short again."""
        self._next = self._first
