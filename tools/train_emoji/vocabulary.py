"""The things the model can draw, read from vocabulary.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

VOCABULARY = Path(__file__).with_name("vocabulary.toml")


@dataclass(frozen=True)
class Thing:
    """Something the model can draw."""

    glyph: str
    words: tuple[str, ...]  # the most usual first

    @property
    def name(self) -> str:
        """The usual word for it."""
        return self.words[0]


def load(path: Path = VOCABULARY) -> tuple[Thing, ...]:
    """All things, in the order of the file."""
    things: list[Thing] = []
    for group in tomllib.loads(path.read_text("utf-8")).values():
        things += [Thing(glyph, tuple(words)) for glyph, words in group.items()]
    return tuple(things)
