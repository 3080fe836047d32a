"""What a look at one part has shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True):
    """The state of one part: `text` says what is, `hint` what to do about it."""

    part: str
    state: Literal["ok", "warn", "fail"]
    text: str
    hint: str = ""


Environ = Mapping[str, str]


def ok(part: str, text: str) -> Finding:
    """The part works."""
    return Finding(part=part, state="ok", text=text)


def warn(part: str, text: str, hint: str) -> Finding:
    """The part works within limits, or is missing where it may be."""
    return Finding(part=part, state="warn", text=text, hint=hint)


def fail(part: str, text: str, hint: str) -> Finding:
    """The part does not work."""
    return Finding(part=part, state="fail", text=text, hint=hint)
