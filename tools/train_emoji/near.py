"""Words for things the model cannot draw, each with the nearest that it can: read from near.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from .vocabulary import Thing

NEAR = Path(__file__).with_name("near.toml")


def load(things: Sequence[Thing], path: Path = NEAR) -> tuple[tuple[str, ...], ...]:
    """For each thing the words that are near it; those that name a thing themselves are left out."""
    taken = {word for each in things for word in each.words}
    found = tomllib.loads(path.read_text("utf-8"))
    return tuple(tuple(w for w in found.get(each.glyph, ()) if w not in taken) for each in things)
