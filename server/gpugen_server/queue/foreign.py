"""Texts from workers, which go to terminals and notebooks of users: nothing in them may steer either."""

from __future__ import annotations

import re

# Sequences of ANSI (ECMA-48: CSI, and OSC with its text), the other control characters but tab and line feed,
# and what turns the direction of writing around.
_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def clean(text: str) -> str:
    """`text` without control characters."""
    return _CONTROL.sub("", text)
