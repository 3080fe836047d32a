"""How much a worker may write into a task's log: a burst, then so many lines a second (a token bucket)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from msgspec import Struct

from gpugen_protocol.events import LogReport, PhaseReport, Report

BURST = 100  # lines
REFILL = 5.0  # lines a second
_MOST = 20_000  # of them in memory: two a lease


class Allowance(Struct):
    """What is left to one lease, as of `at`; `dropped` lines have not been told of."""

    lines: float
    at: float
    dropped: int = 0

    def take(self) -> bool:
        """Use up one, if there is one."""
        if self.lines < 1:
            return False
        self.lines -= 1
        return True


class Chatter:
    """The allowances of all leases; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, Allowance] = OrderedDict()

    def trim(self, lease: str, reports: Sequence[Report]) -> tuple[Report, ...]:
        """`reports` without the log lines that are too many; one line says how many those were.

        Of phases, which are kept as well, a lease has as many; nobody could read more.
        """
        kept: list[Report] = []
        for said in reports:
            if isinstance(said, LogReport):
                kept += self._line(lease, said)
            elif not isinstance(said, PhaseReport) or self._allowance(f"phases of {lease}").take():
                kept.append(said)
        return tuple(kept)

    def _line(self, lease: str, said: LogReport) -> list[Report]:
        allowance = self._allowance(lease)
        if not allowance.take():
            allowance.dropped += 1
            return []
        dropped, allowance.dropped = allowance.dropped, 0
        if not dropped:
            return [said]
        text = f"{dropped:,} lines were left out here: the log of a task takes {REFILL:g} a second."
        return [LogReport(level="warning", message=text), said]

    def _allowance(self, lease: str) -> Allowance:
        now = self._clock()
        found = self._left.setdefault(lease, Allowance(BURST, now))
        found.lines = min(BURST, found.lines + (now - found.at) * REFILL)
        found.at = now
        self._left.move_to_end(lease)
        if len(self._left) > _MOST:
            self._left.popitem(last=False)
        return found
