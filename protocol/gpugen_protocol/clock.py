"""Moments as the wire shows them: RFC 3339 in UTC."""

from __future__ import annotations

import time
from functools import lru_cache


def rfc3339(moment: float) -> str:
    """`moment` (seconds since the epoch) as `2026-01-31T12:00:00.123Z`."""
    micros = round(moment * 1_000_000)
    return f"{_second(micros // 1_000_000)}.{micros // 1000 % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Most of what is told at once is of the same second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
