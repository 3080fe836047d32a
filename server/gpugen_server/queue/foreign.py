"""Texts from workers, which go to terminals and notebooks of users: nothing in them may steer either."""

from __future__ import annotations

import re

# Sequences of ANSI (ECMA-48: CSI, and OSC with its text), the other control characters but tab and line feed,
# what turns the direction of writing around, and line separators that are no line feed.
_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def clean(text: str) -> str:
    """`text` without control characters."""
    return _CONTROL.sub("", text)


def line(text: str) -> str:
    """The same on one line: what stands in a table must not be able to look like a row of its own."""
    return " ".join(clean(text).split())
