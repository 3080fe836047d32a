"""Texts of others, as a terminal or a cell may show them."""

from __future__ import annotations

import re

# Control characters and those that turn the direction of writing: a worker's words must not steer a terminal.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """`text` without anything that a terminal would obey."""
    return _UNSAFE.sub("", text)


def line(text: str) -> str:
    """The same on one line, for a cell of a table: no row can be forged."""
    return clean(text).replace("\n", " ").replace("\t", " ")
