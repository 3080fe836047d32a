"""How the picture of each thing may vary, read from looks.toml: its colours, and which way it faces."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .paint import Coat
from .vocabulary import Thing

LOOKS = Path(__file__).with_name("looks.toml")


@dataclass(frozen=True)
class Looks:
    """What may vary of one thing; `coat` is None where it has one colour."""

    mirrored: bool = False
    coat: Coat | None = None

    @property
    def paints(self) -> tuple[str, ...]:
        """Every colour it may have by name, its own first; none where it has one colour."""
        return (self.coat.own, *self.coat.paints) if self.coat else ()


def load(things: Sequence[Thing], path: Path = LOOKS) -> tuple[Looks, ...]:
    """The looks of each of `things`."""
    found = tomllib.loads(path.read_text("utf-8"))
    coats = {
        glyph: Coat(**{**table, "paints": tuple(table["paints"])}) for glyph, table in found["paint"].items()
    }
    return tuple(Looks(each.glyph in found["mirrored"], coats.get(each.glyph)) for each in things)
