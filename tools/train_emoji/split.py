"""What is kept out of training: for each thing two backgrounds and, where it has many, one of its colours."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .captions import Captioned, Wordings
from .looks import Looks
from .palette import COLOURS
from .scene import Scene
from .vocabulary import Thing

GROUNDS_PER_THING = 2
LEAST_PAINTS = 4  # a thing with fewer keeps them all: nothing could be learnt from the rest
# What people ask for most, and what the sheets show, is taught; the figures are of what is not.
TAUGHT = frozenset(
    {("car", "blue"), ("car", "black"), ("cat", "black"), ("dress", "red"), ("rose", "white")}
    | {("heart", "purple"), ("balloon", "green"), ("hat", "red"), ("bicycle", "red"), ("bus", "yellow")}
)


@dataclass(frozen=True)
class Split:
    """By thing: grounds (indices) and paints (names) that training never shows it with."""

    grounds: tuple[frozenset[int], ...]
    paints: tuple[frozenset[str], ...]


def split(things: Sequence[Thing], looks: Sequence[Looks], seed: int) -> Split:
    """The held-out combinations; the same for the same seed."""
    rng = random.Random(f"held out {seed}")
    colours = range(1, len(COLOURS))
    grounds = tuple(frozenset(rng.sample(colours, GROUNDS_PER_THING)) for _ in things)
    return Split(grounds, tuple(paints(*each, seed) for each in zip(things, looks, strict=True)))


def paints(thing: Thing, looks: Looks, seed: int) -> frozenset[str]:
    """The colour that training never gives this thing; none where it has few."""
    if looks.coat is None or len(looks.coat.paints) < LEAST_PAINTS:
        return frozenset()
    choice = [each for each in looks.coat.paints if not any((word, each) in TAUGHT for word in thing.words)]
    return frozenset({random.Random(f"held out paint {thing.name} {seed}").choice(choice)})


def held_out(
    things: Sequence[Thing], looks: Sequence[Looks], seed: int, *, new_wordings: bool = False
) -> list[Captioned]:
    """Every thing over its held-out grounds, in a wording of training or in one that is new to it too."""
    kept = split(things, looks, seed)
    rng = random.Random(f"held out wordings {seed}")
    wordings = Wordings(things, looks, held_out=new_wordings)
    scenes = [
        Scene(thing, ground) for thing, grounds in enumerate(kept.grounds) for ground in sorted(grounds)
    ]
    return [Captioned(each, wordings.caption(each, rng, name_paint=False)) for each in scenes]


def held_out_paints(things: Sequence[Thing], looks: Sequence[Looks], seed: int) -> list[Captioned]:
    """Every thing in the colour that training never gave it, over white and over two other grounds."""
    kept = split(things, looks, seed)
    rng = random.Random(f"held out paints {seed}")
    wordings = Wordings(things, looks)
    found = []
    for thing, own in enumerate(kept.paints):
        for paint in own:
            others = [each for each in range(1, len(COLOURS)) if paint not in COLOURS[each][0]]
            for ground in (0, *rng.sample(others, 2)):
                scene = Scene(thing, ground, paint)
                found.append(Captioned(scene, wordings.caption(scene, rng, name_paint=True)))
    return found


class Sampler:
    """An endless, seeded stream of scenes to train on; it never draws what is held out."""

    def __init__(self, things: Sequence[Thing], looks: Sequence[Looks], seed: int) -> None:
        self.things, self.looks = things, looks
        kept = split(things, looks, seed)
        self.grounds = [[c for c in range(len(COLOURS)) if c not in out] for out in kept.grounds]
        self.paints = [
            [each for each in own.paints if each not in out]
            for own, out in zip(looks, kept.paints, strict=True)
        ]
        self.wordings = Wordings(things, looks)
        # A thing in many colours has more to learn.
        self.weights = [1 + 0.12 * len(own) for own in self.paints]

    def scene(self, rng: random.Random) -> Scene:
        """The next scene."""
        (thing,) = rng.choices(range(len(self.things)), self.weights)
        painted = self.paints[thing] and rng.random() < PAINTED_SHARE
        return Scene(
            thing,
            0 if rng.random() < WHITE_SHARE else rng.choice(self.grounds[thing][1:]),
            paint=rng.choice(self.paints[thing]) if painted else "",
            size=pick(SIZE_SHARES, rng),
            side=pick(SIDE_SHARES, rng),
        )

    def draw(self, rng: random.Random) -> Captioned:
        """The next scene with a caption."""
        scene = self.scene(rng)
        return Captioned(scene, self.wordings.caption(scene, rng))


WHITE_SHARE = 0.45
PAINTED_SHARE = 0.5
SIZE_SHARES = {"usual": 0.82, "small": 0.1, "large": 0.08}
SIDE_SHARES = {"middle": 0.7, "left": 0.15, "right": 0.15}


def pick(shares: dict[str, float], rng: random.Random) -> str:
    """One of the names, by their shares."""
    return rng.choices(list(shares), list(shares.values()))[0]
