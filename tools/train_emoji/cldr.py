"""The names and keywords that Unicode CLDR has for each emoji, as a second source of words.

Read from the file `annotations/en.xml` of CLDR (Debian: the package unicode-cldr-core); its annotations
are of two kinds, the short name (`type="tts"`) and the keywords (UTS #35, part 2, section "Annotations").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from . import palette
from .vocabulary import Thing

ANNOTATIONS = Path("/usr/share/unicode/cldr/common/annotations/en.xml")
PLAIN = re.compile(r"[a-z][a-z' -]*")
# Keywords that say how something is rather than what; alone they would draw one thing, beside others another.
QUALIFIERS = frozenset(
    [
        "bearer",
        "bright",
        "cancer",
        "cold",
        "cutting",
        "danger",
        "deciduous",
        "delivery",
        "european",
        "falling",
        "father",
        "flipper",
        "four",
        "french",
        "hot",
        "king",
        "pretty",
        "personal",
        "queen",
        "resort",
        "shedding",
        "soft",
        "spots",
        "spouting",
        "steaming",
        "top",
        "up",
        "wise",
        "wrapped",
        "athletic",
        "leo",
        "pisces",
        "ophiuchus",
        "music",
        "art",
        "light",
    ]
)


@dataclass(frozen=True)
class Annotation:
    """What CLDR says of one emoji, in lower case."""

    name: str
    keywords: tuple[str, ...]


def read(path: Path = ANNOTATIONS) -> dict[str, Annotation]:
    """All annotations, by emoji."""
    if not path.exists():
        raise SystemExit(
            f"{path} is missing: install unicode-cldr-core (Debian), or name its en.xml with --cldr"
        )
    names: dict[str, str] = {}
    keywords: dict[str, tuple[str, ...]] = {}
    for each in ElementTree.parse(path).iter("annotation"):
        text = (each.text or "").lower()
        if each.get("type") == "tts":
            names[each.attrib["cp"]] = text.strip()
        else:
            keywords[each.attrib["cp"]] = tuple(part.strip() for part in text.split("|"))
    return {glyph: Annotation(name, keywords.get(glyph, ())) for glyph, name in names.items()}


def extend(things: Sequence[Thing], annotations: dict[str, Annotation]) -> tuple[Thing, ...]:
    """Things with CLDR's name and those of its keywords that no other of the things has.

    A word names one thing only: the table comes first, then the names, then the keywords.
    """
    found = [annotations[each.glyph] for each in things]
    shared = Counter(word for each in found for word in {*each.keywords, each.name})
    taken = {word for each in things for word in each.words}
    extended = []
    for thing, own in zip(things, found, strict=True):
        more = [word for word in (own.name, *own.keywords) if word not in taken and shared[word] == 1]
        words = dict.fromkeys(word for word in more if fits(word))
        taken.update(words)
        extended.append(replace(thing, words=(*thing.words, *words)))
    return tuple(extended)


def fits(word: str) -> bool:
    """Whether it can stand for a thing in a caption."""
    return bool(PLAIN.fullmatch(word)) and word not in QUALIFIERS and word not in palette.WORDS
