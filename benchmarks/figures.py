"""Figures: medians, percentiles, and the table they are shown in."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, the value, the bar it is held against (if any).

    Attributes:
        at_least: the bar is to be reached, not to be kept under.
    """

    name: str
    value: float
    unit: str
    bar: float | None = None
    note: str = ""
    at_least: bool = False

    def line(self) -> str:
        """The figure as a row of text."""
        sign = ">=" if self.at_least else "<="
        bar = "" if self.bar is None else f"{sign} {self.bar:g}"
        value = f"{self.value:>9.2f} {self.unit:<4}"
        return f"{self.name:<62} {value} {bar:>9} {self._verdict():<6} {self.note}".rstrip()

    def _verdict(self) -> str:
        if self.bar is None:
            return ""
        if self.at_least:
            return "ok" if self.value >= self.bar else "BELOW"
        return "ok" if self.value <= self.bar else "ABOVE"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float]) -> str:
    """p95 and the number of values, as a note."""
    return f"p95 {percentile(values, 0.95):.2f}, n={len(values)}"


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)
