"""Work in turns: each contestant gets a short window, again and again, so that all see the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from benchmarks.figures import median

Step = Callable[[], object]


class Race:
    """Rates of several contestants, measured in turns.

    Args:
        contestants: what each does once; it is called until its window is over.
        rounds: how many windows each gets.
        seconds: how long a window is.
        clock: what a second is; `time.thread_time` for what only computes here, so that others on the machine
            do not count.
    """

    def __init__(
        self,
        contestants: Mapping[str, Step],
        rounds: int = 9,
        seconds: float = 0.5,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._windows: list[dict[str, float]] = []
        for step in contestants.values():  # warm up
            step()
        for _ in range(rounds):
            self._windows.append({name: rate(step, seconds, clock) for name, step in contestants.items()})

    def rate(self, name: str) -> float:
        """Steps a second, the median of all windows."""
        return median([window[name] for window in self._windows])

    def ratio(self, name: str, other: str) -> float:
        """How much faster `name` is than `other`: the median of the ratios within a round."""
        return median([window[name] / window[other] for window in self._windows])

    def spread(self, name: str, other: str) -> str:
        """The extremes of that ratio, as a note."""
        ratios = [window[name] / window[other] for window in self._windows]
        return (
            f"{min(ratios):.2f}..{max(ratios):.2f}, {self.rate(name):,.0f} / {self.rate(other):,.0f} a second"
        )


def rate(step: Step, seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Steps a second of one contestant."""
    start, count = clock(), 0
    while (now := clock()) < start + seconds:
        step()
        count += 1
    return count / (now - start)
