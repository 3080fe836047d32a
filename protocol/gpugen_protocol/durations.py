"""Durations as people write them: seconds with fractions, or `10m`, `2h`."""

from __future__ import annotations

import re

from gpugen_protocol.errors import Misconfigured

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MOST = 100 * 365 * 86400.0  # seconds; a hundred years
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")


def seconds(text: str | float) -> float:
    """`text` in seconds.

    Raises:
        Misconfigured: `text` is not a number with an optional unit s, m, h or d, or more than MOST.
    """
    found = _FORM.fullmatch(str(text).strip())
    if found is None:
        raise Misconfigured(f"{text!r} is not a duration.", hint="Write seconds, or 10m, or 2h.")
    value = float(found[1]) * _UNITS[found[2]]
    if value > MOST:
        raise Misconfigured(f"{text} is too long.", hint="The longest duration is a hundred years.")
    return value
