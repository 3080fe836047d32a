"""The twelve colours: their names in a prompt, and what a background of that name looks like."""

from __future__ import annotations

WHITE = 0
COLOURS: tuple[tuple[tuple[str, ...], tuple[int, int, int]], ...] = (
    (("white",), (255, 255, 255)),
    (("red",), (226, 58, 58)),
    (("orange",), (255, 152, 40)),
    (("yellow",), (255, 221, 70)),
    (("green",), (72, 176, 92)),
    (("blue",), (50, 104, 216)),
    (("light blue", "sky blue"), (150, 212, 250)),
    (("purple", "violet"), (140, 80, 190)),
    (("pink",), (255, 170, 204)),
    (("brown",), (128, 88, 62)),
    (("black",), (0, 0, 0)),
    (("gray", "grey"), (150, 150, 150)),
)
NAMES = {names[0]: names for names, _ in COLOURS}
WORDS = frozenset(word for names in NAMES.values() for name in names for word in name.split())


def names_a_colour(words: str) -> bool:
    """Whether a colour is among `words`."""
    return not WORDS.isdisjoint(words.split())
