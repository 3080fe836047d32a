"""The words of a model that draws only some things: its folder lists them.

`words.txt` has a thing on each line with all its names, the emoji among them; `near.txt` has for a thing the
words of others that it may stand for, as in `dog: wolf, husky`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_SYMBOLS = "\u200d\ufe0f\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_WORD = re.compile(rf"[^\W_]+|[{_SYMBOLS}]")
_MODIFIERS = frozenset(
    "\u200d\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
)  # joined, in colour, of a skin
_END = "</w>"  # CLIP's tokenizer: at the end of an entry that ends a word
_LONG = 5  # letters of a word that is known with a slip in it, and of that slip
_UNLIKE = 6  # and with another letter in the place of one: shorter ones are often words of their own

# What a prompt says beside the thing: how to draw it, how it is, in which colour, where, on what.
_BESIDE = frozenset(
    """
    a an the one my of on in at to with over against front side before and i me you it please draw show want
    make give can picture image photo drawing icon emoji cartoon sticker illustration clipart cute nice
    beautiful lovely simple happy funny sad angry shiny fresh small tiny little large big huge giant single
    left right top background white red orange yellow green blue light sky purple violet pink brown black gray
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
        near: for words of other things the usual name of the one that may stand for them.
        entries: the words that the tokenizer has whole.
    """

    def __init__(
        self, things: Iterable[list[str]], near: Mapping[str, str], entries: Collection[str]
    ) -> None:
        self._names = {name: names[0] for names in things for name in names}
        self._usual = {form: usual for name, usual in self._names.items() for form in _forms(name)}
        self._near = {form: known for word, known in near.items() for form in _forms(word)}
        self._entries = entries
        longest_first = sorted(self._usual, key=len, reverse=True)
        self._name = re.compile(rf"(?<!\S)(?:{'|'.join(map(re.escape, longest_first))})(?!\S)")

    @classmethod
    def read(cls, folder: Path, pipeline: Any) -> KnownWords | None:
        """Of a model folder; None for a model that lists no words, which is one that takes any."""
        path = folder / "words.txt"
        if not path.is_file():
            return None
        things = [line.split(", ") for line in path.read_text("utf-8").splitlines()]
        vocabulary = pipeline.tokenizer.get_vocab()
        entries = {entry.removesuffix(_END) for entry in vocabulary if entry.endswith(_END)}
        return cls(things, _read_near(folder / "near.txt"), entries)

    def named(self, prompt: str) -> list[str]:
        """What `prompt` names that can be drawn, one or several of each, in its own words and order.

        A word that also says how a thing is ("a sad dog") names one only where nothing else does.
        """
        found = {self._usual[match[0]]: match[0] for match in self._matches(_words(prompt))}
        things = [name for name in found.values() if name not in _BESIDE]
        return things or list(found.values())[:1]

    def spelled(self, prompt: str) -> str:
        """`prompt` with words for its emoji, and slips of the pen put right."""
        return _WORD.sub(lambda found: self._spell(found[0]), prompt)

    def swap(self, prompt: str) -> Swap | None:
        """What to draw instead, when nothing in `prompt` is known; None where nothing known is near."""
        if self.named(prompt):
            return None
        swaps = (Swap(word, known) for word in self.left_out(prompt) if (known := self._nearest(word)))
        return next(swaps, None)

    def left_out(self, prompt: str) -> list[str]:
        """The words of `prompt` that `plain` leaves out and that seem to ask for something."""
        words = _words(prompt)
        unread = [word for word, shown in zip(words, self._shown(words), strict=True) if not shown]
        return [word for word in dict.fromkeys(unread) if _asks(word)]

    def plain(self, text: str) -> str:
        """`text` in words that the model has read, names and what is said beside them; all others left out.

        The tokenizer has strange words in pieces, which the text encoder takes for parts of other words, and
        the words of a longer name for that: what it would draw is a blur of several things.
        """
        text = self.spelled(text)
        shown = iter(self._shown(_words(text)))

        def show(found: re.Match[str]) -> str:
            word = next(shown)
            return found[0] if word == found[0].lower() else word

        return " ".join(_WORD.sub(show, text).split())

    def _matches(self, words: list[str]) -> Iterator[re.Match[str]]:
        return self._name.finditer(" ".join(words))

    def _shown(self, words: list[str]) -> list[str]:
        """For each word what the model is shown of it; empty for what it never read, or not alone."""
        shown = [word if word in _BESIDE and word in self._entries else "" for word in words]
        for match in self._matches(words):
            first = match.string.count(" ", 0, match.start())
            for at in range(first, first + match[0].count(" ") + 1):
                shown[at] = words[at] if words[at] in self._entries else self._single.get(words[at], "")
        return shown

    def _spell(self, word: str) -> str:
        lower = word.lower()
        if not word.isalnum():
            return f" {self._symbol(word)} "
        return self._slips.get(lower, word)

    def _symbol(self, symbol: str) -> str:
        """Its usual name here, else what Unicode calls it where that names a known thing."""
        if symbol in self._usual or symbol in _MODIFIERS:
            return self._usual.get(symbol, "")
        name = unicodedata.name(symbol, "").lower()
        return name if self.named(name) else symbol

    def _nearest(self, word: str) -> str:
        """What may stand for it; else the only thing spelled almost so, or of which it is a measure."""
        if word in self._near:
            return self._near[word]
        found = {
            known
            for name, known in self._names.items()
            if _alike(word, name) or (f"{word} of " in name and name.partition(" of ")[2] in self._names)
        }
        return found.pop() if len(found) == 1 else ""

    @cached_property
    def _single(self) -> dict[str, str]:
        """The words of names by their plurals."""
        parts = {part for name in self._usual for part in name.split() if part in self._entries}
        return {form: part for part in sorted(parts) for form in _forms(part)}

    @cached_property
    def _slips(self) -> dict[str, str]:
        """The long words by what becomes of them with a letter too few, one twice, or two swapped."""
        words = {part for name in self._usual for part in name.split()} | _BESIDE
        spoilt = {slip: word for word in sorted(words & set(self._entries)) for slip in _spoilt(word)}
        known = words | self._usual.keys() | self._near.keys()
        return {slip: word for slip, word in spoilt.items() if len(slip) >= _LONG and slip not in known}


def _read_near(path: Path) -> dict[str, str]:
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    pairs = (line.split(": ") for line in lines)
    return {word: known for known, words in pairs for word in words.split(", ")}


def _forms(name: str) -> tuple[str, ...]:
    """One and several of it, as `_words` would have them."""
    one = " ".join(_words(name))
    return (
        one,
        f"{one}s",
        f"{one}es",
        f"{one[:-1]}ies" if one.endswith("y") else one,
        f"{one[:-1]}ves" if one.endswith("f") else one,
    )


def _asks(word: str) -> bool:
    """Whether it seems to ask for something; single letters are left over from an apostrophe."""
    return word not in _BESIDE and not (len(word) == 1 and word.isascii() and word.isalpha())


def _alike(word: str, known: str) -> bool:
    """Whether `word` is `known` with a letter too many, too few or wrong, or two swapped, not the first."""
    if word[0] != known[0] or len(known) < _LONG or abs(len(word) - len(known)) > 1:
        return False
    start = _alike_from_the_start(word, known)
    rest, wanted = word[start:], known[start:]
    end = _alike_from_the_start(rest[::-1], wanted[::-1])
    rest, wanted = rest[: len(rest) - end], wanted[: len(wanted) - end]
    if len(rest) == len(wanted) == 1:
        return len(known) >= _UNLIKE
    return max(len(rest), len(wanted)) == 1 or (len(rest) == 2 and rest == wanted[::-1])


def _alike_from_the_start(one: str, other: str) -> int:
    """How many letters."""
    differ = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def _spoilt(word: str) -> Iterator[str]:
    for at in range(1, len(word) - 1):
        before, letter, following, after = word[:at], word[at], word[at + 1], word[at + 2 :]
        yield before + following + letter + after
        yield before + letter * 2 + following + after
        yield before + following + after


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
