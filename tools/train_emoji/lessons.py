"""What the text encoder learns from: captions, at times misspelt, at times with a word for something near."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from .captions import Captioned, Wordings
from .split import Sampler

NEAR_SHARE = 0.08
SPOILT_SHARE = 0.08
LONG = 5  # letters of a word that bears a slip


class Lessons:
    """An endless stream of captions; `near` holds for each thing the words that are near it."""

    def __init__(self, sampler: Sampler, near: Sequence[Sequence[str]]) -> None:
        self.sampler = sampler
        self.rich = [index for index, words in enumerate(near) if words]
        strange = [
            replace(thing, words=tuple(words) or thing.words)
            for thing, words in zip(sampler.things, near, strict=True)
        ]
        self.wordings = Wordings(strange, sampler.looks)

    def draw(self, rng: random.Random) -> Captioned:
        """The next caption."""
        found = self.sampler.draw(rng)
        if rng.random() < NEAR_SHARE:
            thing = rng.choice(self.rich)
            grounds, paints = self.sampler.grounds[thing], self.sampler.paints[thing]
            scene = replace(
                found.scene,
                thing=thing,
                ground=found.scene.ground if found.scene.ground in grounds else 0,
                paint=found.scene.paint if found.scene.paint in paints else "",
            )
            found = Captioned(scene, self.wordings.caption(scene, rng))
        if rng.random() < SPOILT_SHARE:
            found = Captioned(found.scene, spoil(found.text, rng))
        return found


def spoil(text: str, rng: random.Random) -> str:
    """One long word of `text` with a letter too few, too many, or two of them swapped."""
    words = text.split(" ")
    long = [index for index, word in enumerate(words) if len(word) >= LONG and word.isalpha()]
    if not long:
        return text
    at = rng.choice(long)
    word = words[at]
    place = rng.randrange(1, len(word) - 1)
    words[at] = rng.choice(
        (
            word[:place] + word[place + 1 :],
            word[:place] + word[place] + word[place:],
            word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        )
    )
    return " ".join(words)
