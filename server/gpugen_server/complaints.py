"""What a background loop says about errors, whatever they are: not the same one again and again."""

from __future__ import annotations

import time
from typing import Any

from gpugen_protocol.errors import GpugenError, describe

QUIET = 60.0  # seconds before the same complaint is made again


class Complaints:
    """One loop's errors.

    Args:
        log: a structlog logger.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._last, self._until = "", 0.0

    def log(self, what: str, error: Exception) -> None:
        """Say that `what` happened because of `error`; with a traceback if nobody foresaw it."""
        text = f"{what}: {describe(error)}"
        if text == self._last and time.monotonic() < self._until:
            return
        self._last, self._until = text, time.monotonic() + QUIET
        foreseen = isinstance(error, GpugenError | OSError)
        self._log.error(what, error=describe(error), exc_info=None if foreseen else error)
