"""What the model must reach to be shipped.

Recall, grounds, autoencoder, seconds and bytes were set before training; the other limits are a little below
what was reached, so that no later model falls behind it unseen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bar:
    """A figure, by its path in the metrics, and its limit."""

    path: str
    limit: float
    at_least: bool = True

    def value(self, metrics: Mapping[str, Any]) -> float:
        """The figure; not a number, which no bar holds for, where it was not measured."""
        found: Any = metrics
        for part in self.path.split("."):
            found = found.get(part, math.nan) if isinstance(found, Mapping) else found
        return float(found)

    def holds(self, metrics: Mapping[str, Any]) -> bool:
        """Whether the figure is on the right side of the limit."""
        value = self.value(metrics)
        return value >= self.limit if self.at_least else value <= self.limit


BARS = (
    Bar("held_out.count", 200),
    Bar("held_out.recall_1", 0.90),
    Bar("held_out.ground", 0.97),
    Bar("held_out_paints.recall_1", 0.90),
    Bar("held_out_paints.paint", 0.60),
    Bar("paints.paint", 0.90),
    Bar("sizes.size", 0.65),
    Bar("words.recall_1", 0.90),
    Bar("words.white_corners", 0.90),
    Bar("autoencoder.psnr", 26.0),
    Bar("words.sharpness", 0.5),
    Bar("variety.apart", 0.03),
    # CPU time over all threads: on an idle machine a picture takes no longer, and others do not disturb it.
    Bar("machine.cpu_seconds_per_image", 1.0, at_least=False),
    Bar("load_seconds", 1.0, at_least=False),
    Bar("bytes", 25_000_000, at_least=False),
)


def report(metrics: Mapping[str, Any]) -> str:
    """A line for each bar."""
    lines = []
    for bar in BARS:
        sign = ">=" if bar.at_least else "<="
        word = "holds" if bar.holds(metrics) else "FAILS"
        lines.append(f"{word}  {bar.path:28} {bar.value(metrics):<14.4g} {sign} {bar.limit:g}")
    return "\n".join(lines)


def failed(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The bars that do not hold."""
    return tuple(bar.path for bar in BARS if not bar.holds(metrics))
