"""The words of a model that knows only some: its folder lists them in words.txt, a thing on each line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

_WORD = re.compile(r"[^\W\d_]+")
_END = "</w>"  # CLIP's tokenizer: at the end of an entry that ends a word
_LONG = 5  # letters of a word that is known with a slip in it

# What a prompt says beside the thing: how to draw it, how it is, in which colour, where, on what.
_BESIDE = frozenset(
    """
    a an the one my of on in at to with over against front side before and i me you it please draw show want
    make give can picture image photo drawing icon emoji cartoon sticker illustration clipart cute nice
    beautiful lovely simple happy funny sad angry shiny fresh small tiny little large big huge giant single
    left right background white red orange yellow green blue light sky purple violet pink brown black gray
    grey very some for from by as is are be that this these his her its their our your or so just really like
    """.split()  # noqa: SIM905 - easier to read than a list of a hundred strings
)


@dataclass(frozen=True)
class Swap:
    """A word that is not known, and the known one that is drawn in its place."""

    word: str
    known: str

    def in_prompt(self, prompt: str) -> str:
        """`prompt` with the one in the place of the other."""
        return re.sub(rf"\b{re.escape(self.word)}\b", self.known, prompt, flags=re.IGNORECASE)


class KnownWords:
    """What a model can draw, by all its names.

    Args:
        things: for each thing its names, the usual one first.
        pipeline: whose tokenizer and text encoder say which words are near each other.
    """

    def __init__(self, things: list[list[str]], pipeline: Any) -> None:
        self._usual = {name: names[0] for names in things for name in names}
        self._pipeline = pipeline

    @classmethod
    def read(cls, folder: Path, pipeline: Any) -> KnownWords | None:
        """Of a model folder; None for a model that lists no words, which is one that takes any."""
        path = folder / "words.txt"
        if not path.is_file():
            return None
        return cls([line.split(", ") for line in path.read_text("utf-8").splitlines()], pipeline)

    def knows(self, prompt: str) -> bool:
        """Whether `prompt` names a thing that can be drawn, one or several of it."""
        text = f" {' '.join(_words(prompt))} "
        return any(f" {form} " in text for name in self._usual for form in _forms(name))

    def swap(self, prompt: str) -> Swap | None:
        """What to draw instead, when nothing in `prompt` is known; None where there is nothing to swap.

        Of all pairs of an unknown and a known word the nearest is taken: the least angle between the means of
        their hidden states in the text encoder, the mean of all known words taken off.
        """
        strange = [word for word in dict.fromkeys(_words(prompt)) if word not in _BESIDE]
        if not strange or self.knows(prompt):
            return None
        nearness = self._directions(strange) @ self._known[1].T
        row, column = divmod(int(nearness.argmax()), nearness.shape[1])
        return Swap(strange[row], self._usual[self._known[0][column]])

    def left_out(self, prompt: str) -> list[str]:
        """The words of `prompt` that `plain` leaves out and that seem to ask for something."""
        words = [word for word in _words(prompt) if word not in _BESIDE]
        return list(dict.fromkeys(word for word in words if not self._read(word)))

    def plain(self, text: str) -> str:
        """`text` in words that the model has read: slips of the pen put right, strange words left out.

        The tokenizer has strange words in pieces, and the text encoder takes these for parts of other words:
        what it would draw is a blur of several things.
        """
        return " ".join(_WORD.sub(lambda found: self._read(found[0]), text).split())

    def _read(self, word: str) -> str:
        """The word as the model knows it; empty where it does not."""
        lower = word.lower()
        return word if lower in self._entries else self._slips.get(lower, "")

    @cached_property
    def _entries(self) -> frozenset[str]:
        """What the tokenizer has as one entry."""
        return frozenset(
            entry.removesuffix(_END) for entry in self._pipeline.tokenizer.get_vocab() if entry.endswith(_END)
        )

    @cached_property
    def _slips(self) -> dict[str, str]:
        """The long words by what becomes of them with a letter too few, one twice, or two swapped."""
        return {slip: word for word in sorted(self._entries) if len(word) >= _LONG for slip in _spoilt(word)}

    @cached_property
    def _known(self) -> tuple[list[str], torch.Tensor]:
        names = list(self._usual)
        return names, self._directions(names)

    @cached_property
    def _centre(self) -> torch.Tensor:
        return self._means(list(self._usual)).mean(0)

    def _directions(self, texts: list[str]) -> torch.Tensor:
        return torch.nn.functional.normalize(self._means(texts) - self._centre, dim=1)

    def _means(self, texts: list[str]) -> torch.Tensor:
        tokenizer, encoder = self._pipeline.tokenizer, self._pipeline.text_encoder
        limit = tokenizer.model_max_length
        read = tokenizer(texts, padding="max_length", max_length=limit, truncation=True, return_tensors="pt")
        with torch.no_grad():
            hidden = encoder(read.input_ids.to(encoder.device)).last_hidden_state
        found: torch.Tensor = hidden.mean(1).float().cpu()
        return found


def _forms(name: str) -> tuple[str, ...]:
    """One and several of it, as `_words` would have them."""
    one = " ".join(_words(name))
    return one, f"{one}s", f"{one}es", f"{one[:-1]}ies" if one.endswith("y") else one


def _spoilt(word: str) -> Iterator[str]:
    for at in range(1, len(word) - 1):
        before, letter, following, after = word[:at], word[at], word[at + 1], word[at + 2 :]
        yield before + following + after
        yield before + letter * 2 + following + after
        yield before + following + letter + after


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
