"""How long a drawing may be silent before it counts as wedged and the process must end."""

from __future__ import annotations

from msgspec import Struct

GIVEN_BACK = 5.0  # seconds for a drawing whose task another worker may have; the process is ending anyway
SLOW_STEPS = 3  # a drawing notices between two steps: as many of its own are always waited for


class Patience(Struct, frozen=True):
    """What is waited for, in seconds.

    Attributes:
        stop: from a cancel, or from a lost lease, until the drawing has stopped.
        stall: between two signs of life of a drawing.
    """

    stop: float = 60.0
    stall: float = 1800.0

    def to_stop(self, reason: str, step_seconds: float) -> float:
        """Seconds for a drawing that was interrupted for `reason`, and whose steps take that long."""
        if reason == "released":
            return GIVEN_BACK
        return max(self.stop, SLOW_STEPS * step_seconds)
