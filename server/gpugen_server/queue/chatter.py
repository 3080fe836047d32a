"""How much a worker may write into a task's log: a burst, then so many lines a second (a token bucket)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from msgspec import Struct

from gpugen_protocol.events import LogReport, Report

BURST = 100  # lines
REFILL = 5.0  # lines a second
_MOST = 10_000  # leases in memory


class Allowance(Struct):
    """What is left to one lease, as of `at`; `dropped` lines have not been told of."""

    lines: float
    at: float
    dropped: int = 0


class Chatter:
    """The allowances of all leases; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, Allowance] = OrderedDict()

    def trim(self, lease: str, reports: Sequence[Report]) -> tuple[Report, ...]:
        """`reports` without the log lines that are too many; one line says how many those were."""
        if not any(isinstance(said, LogReport) for said in reports):
            return tuple(reports)
        allowance = self._allowance(lease)
        kept: list[Report] = []
        for said in reports:
            if not isinstance(said, LogReport):
                kept.append(said)
            elif allowance.lines < 1:
                allowance.dropped += 1
            else:
                kept += self._told(allowance)
                allowance.lines -= 1
                kept.append(said)
        return tuple(kept)

    def _told(self, allowance: Allowance) -> list[Report]:
        dropped, allowance.dropped = allowance.dropped, 0
        if not dropped:
            return []
        text = f"{dropped:,} lines were left out here: the log of a task takes {REFILL:g} a second."
        return [LogReport(level="warning", message=text)]

    def _allowance(self, lease: str) -> Allowance:
        now = self._clock()
        found = self._left.setdefault(lease, Allowance(BURST, now))
        found.lines = min(BURST, found.lines + (now - found.at) * REFILL)
        found.at = now
        self._left.move_to_end(lease)
        if len(self._left) > _MOST:
            self._left.popitem(last=False)
        return found
