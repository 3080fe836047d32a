"""Captions: what people write when they want a scene."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .looks import Looks
from .palette import COLOURS, NAMES, WHITE, names_a_colour
from .scene import Scene
from .vocabulary import Thing

PREFIXES = (
    "", "", "", "", "", "", "a {}", "a {}", "a {}", "a {}", "the {}", "one {}", "my {}",
    "a cute {}", "cute {}", "a nice {}", "a beautiful {}", "a simple {}", "a happy {}", "a funny {}",
    "a sad {}", "an angry {}", "a shiny {}", "a fresh {}",
    "a picture of a {}", "a picture of {}", "an image of a {}", "a photo of a {}", "a drawing of a {}",
    "an icon of a {}", "an emoji of a {}", "an emoji of {}", "a cartoon {}", "a sticker of a {}", "draw a {}",
    "draw me a {}", "please draw a {}", "show me a {}", "i want a {}", "{} emoji", "{} icon", "{} drawing",
)  # fmt: skip
GROUNDS = (
    "{} on a {c} background", "{} on a {c} background", "{} on a {c} background", "{} on {c} background",
    "{} on {c}", "{} with a {c} background", "{}, {c} background", "{} over a {c} background",
    "{} in front of a {c} background", "{} against a {c} background",
)  # fmt: skip
SIZE_WORDS = {
    "small": ("small", "small", "tiny", "little"),
    "large": ("large", "big", "big", "huge", "giant"),
}
SIDES = ("{} on the {s}", "{} on the {s}", "{} on the {s} side", "{} at the {s}", "{} to the {s}")

# Wordings that training never uses: the held-out captions do.
HELD_OUT_PREFIXES = (
    "a lovely {}", "can you draw a {}", "make a picture of a {}", "{} please", "a single {}",
    "an illustration of a {}", "a {} clipart", "give me a {}",
)  # fmt: skip
HELD_OUT_GROUNDS = ("{} on top of a {c} background", "{}, background {c}", "{} before a {c} background")

FIRST_WORD_SHARE = 0.5
NAMED_FREE_SHARE = 0.5  # how often the colour is named of a thing that comes in all colours
NAMED_OWN_SHARE = 0.25  # and of one that has its own colour


@dataclass(frozen=True)
class Captioned:
    """A scene and one wording of it."""

    scene: Scene
    text: str


def fill(pattern: str, words: str) -> str:
    """`a {}` with the right article before a vowel, where the thing follows it."""
    if not pattern:
        return words
    text = pattern.format(words)
    vowel = words[0] in "aeiou" and not words.startswith(("uni", "ufo", "europe"))
    return text.replace(f"a {words}", f"an {words}") if vowel else text


def fill_ground(pattern: str, text: str, name: str) -> str:
    """Adds a background called `name`."""
    filled = pattern.format(text, c=name)
    return filled.replace("a orange background", "an orange background")


class Wordings:
    """Puts scenes into words; `held_out` uses wordings that training never does."""

    def __init__(self, things: Sequence[Thing], looks: Sequence[Looks], *, held_out: bool = False) -> None:
        self.things, self.looks = things, looks
        self.prefixes = HELD_OUT_PREFIXES if held_out else PREFIXES
        self.grounds = HELD_OUT_GROUNDS if held_out else GROUNDS

    def noun(self, scene: Scene, rng: random.Random, *, named: bool) -> str:
        """What this caption calls the thing, with its colour where that is `named`."""
        coat = self.looks[scene.thing].coat
        words = self.things[scene.thing].words
        if coat is None:
            return usual(words, rng)
        own = scene.paint in ("", coat.own)
        bare = named or not own
        found = usual([each for each in words if not (bare and names_a_colour(each))], rng)
        return f"{rng.choice(NAMES[scene.paint or coat.own])} {found}" if named else found

    def names_paint(self, scene: Scene, rng: random.Random) -> bool:
        """Whether a caption says which colour the thing has; it must where one could not know."""
        coat = self.looks[scene.thing].coat
        if coat is None:
            return False
        if coat.free:
            return rng.random() < NAMED_FREE_SHARE
        return scene.paint not in ("", coat.own) or rng.random() < NAMED_OWN_SHARE

    def caption(self, scene: Scene, rng: random.Random, *, name_paint: bool | None = None) -> str:
        """One wording; a white ground goes without saying, by chance where `name_paint` is left open."""
        named = self.names_paint(scene, rng) if name_paint is None else name_paint
        noun = self.noun(scene, rng, named=named)
        if scene.size in SIZE_WORDS:
            noun = f"{rng.choice(SIZE_WORDS[scene.size])} {noun}"
        text = fill(rng.choice(self.prefixes), noun)
        if scene.side == "middle":
            return self.ground(text, scene, rng)
        side = rng.choice(SIDES)
        if rng.random() < 0.7:
            return self.ground(side.format(text, s=scene.side), scene, rng)
        return side.format(self.ground(text, scene, rng), s=scene.side)

    def ground(self, text: str, scene: Scene, rng: random.Random) -> str:
        """Adds the background, by one of its names."""
        if scene.ground == WHITE and rng.random() > 0.1:
            return text
        return fill_ground(rng.choice(self.grounds), text, rng.choice(COLOURS[scene.ground][0]))


def usual(words: Sequence[str], rng: random.Random) -> str:
    """One of the words, the first one most often."""
    return words[0] if rng.random() < FIRST_WORD_SHARE else rng.choice(words)
