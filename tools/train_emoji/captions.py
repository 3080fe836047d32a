"""Captions for the training pictures, and the combinations that are kept out of training."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .vocabulary import Thing

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

PREFIXES = (
    "", "", "", "", "", "", "a {}", "a {}", "a {}", "a {}", "the {}", "one {}", "my {}",
    "a cute {}", "cute {}", "a little {}", "a small {}", "a big {}", "a nice {}", "a beautiful {}",
    "a simple {}", "a happy {}", "a funny {}",
    "a picture of a {}", "a picture of {}", "an image of a {}", "a photo of a {}", "a drawing of a {}",
    "an icon of a {}", "an emoji of a {}", "an emoji of {}", "a cartoon {}", "a sticker of a {}", "draw a {}",
    "draw me a {}", "please draw a {}", "show me a {}", "i want a {}", "{} emoji", "{} icon", "{} drawing",
)  # fmt: skip
GROUNDS = (
    "{} on a {c} background", "{} on a {c} background", "{} on a {c} background", "{} on {c} background",
    "{} on {c}", "{} with a {c} background", "{}, {c} background", "{} over a {c} background",
    "{} in front of a {c} background", "{} against a {c} background",
)  # fmt: skip

EMPTY_SHARE = 0.1  # captions left out, for classifier-free guidance
PLAIN_SHARE = 0.45  # captions that name no background: white
FIRST_WORD_SHARE = 0.5
HELD_OUT_PER_THING = 2


@dataclass(frozen=True)
class Combination:
    """A thing over a colour, in one wording."""

    thing: int
    colour: int
    text: str


def fill(pattern: str, words: str) -> str:
    """`a {}` with the right article before a vowel, where the thing follows it."""
    if not pattern:
        return words
    text = pattern.format(words)
    vowel = words[0] in "aeiou" and not words.startswith(("uni", "ufo"))
    return text.replace(f"a {words}", f"an {words}") if vowel else text


def ground(text: str, colour: int, pattern: str, rng: random.Random) -> str:
    """Adds the background to a caption, by one of its names."""
    return fill_ground(pattern, text, rng.choice(COLOURS[colour][0]))


def fill_ground(pattern: str, text: str, name: str) -> str:
    """Adds a background called `name`."""
    filled = pattern.format(text, c=name)
    return filled.replace("a orange background", "an orange background")


def word(thing: Thing, rng: random.Random) -> str:
    """What this caption calls the thing."""
    return thing.name if rng.random() < FIRST_WORD_SHARE else rng.choice(thing.words)


def caption(thing: Thing, colour: int, rng: random.Random, *, plain: bool = False) -> str:
    """A wording for `thing` over `colour`; `plain` names no background."""
    text = fill(rng.choice(PREFIXES), word(thing, rng))
    return text if plain else ground(text, colour, rng.choice(GROUNDS), rng)


def held_out_colours(things: Sequence[Thing], seed: int) -> tuple[frozenset[int], ...]:
    """For each thing the background colours that training never shows it on, in any wording."""
    rng = random.Random(f"held out {seed}")
    colours = range(1, len(COLOURS))
    return tuple(frozenset(rng.sample(colours, HELD_OUT_PER_THING)) for _ in things)


def held_out(things: Sequence[Thing], seed: int) -> list[Combination]:
    """The combinations to measure on, one wording each."""
    rng = random.Random(f"held out wordings {seed}")
    return [
        Combination(index, colour, caption(things[index], colour, rng))
        for index, colours in enumerate(held_out_colours(things, seed))
        for colour in sorted(colours)
    ]


class Sampler:
    """An endless, seeded stream of combinations to train on."""

    def __init__(self, things: Sequence[Thing], seed: int) -> None:
        self.things = things
        held = held_out_colours(things, seed)
        self.allowed = [[c for c in range(len(COLOURS)) if c not in out] for out in held]

    def draw(self, rng: random.Random, *, empty_share: float = EMPTY_SHARE) -> Combination:
        """The next combination."""
        index = rng.randrange(len(self.things))
        if rng.random() < PLAIN_SHARE:
            colour, text = WHITE, caption(self.things[index], WHITE, rng, plain=True)
        else:
            colour = rng.choice(self.allowed[index])
            text = caption(self.things[index], colour, rng)
        return Combination(index, colour, "" if rng.random() < empty_share else text)
