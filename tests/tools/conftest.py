"""The things of the bundled model and how they look, and a few lines in CLDR's format."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch
from tools.train_emoji import glyphs, looks, vocabulary
from tools.train_emoji.looks import Looks
from tools.train_emoji.pictures import Pictures
from tools.train_emoji.split import Sampler
from tools.train_emoji.vocabulary import Thing

ANNOTATIONS = """<?xml version="1.0" encoding="UTF-8" ?>
<ldml><annotations>
<annotation cp="🐶">dog | face | pet | hound | bright</annotation>
<annotation cp="🐶" type="tts">dog face</annotation>
<annotation cp="🐱">cat | face | pet | dog</annotation>
<annotation cp="🐱" type="tts">Cat Face</annotation>
<annotation cp="🚗">automobile | car | motor | +1</annotation>
<annotation cp="🚗" type="tts">automobile</annotation>
</annotations></ldml>
"""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two threads on a busy machine wait for each other more than they work."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def things() -> tuple[Thing, ...]:
    return vocabulary.load()


@pytest.fixture(scope="session")
def all_looks(things: tuple[Thing, ...]) -> tuple[Looks, ...]:
    return looks.load(things)


@pytest.fixture(scope="session")
def sampler(things: tuple[Thing, ...], all_looks: tuple[Looks, ...]) -> Sampler:
    return Sampler(things, all_looks, 0)


@pytest.fixture(scope="session")
def pictures(things: tuple[Thing, ...], all_looks: tuple[Looks, ...]) -> Pictures:
    """Needs the font, which not every machine has."""
    if not glyphs.FONT.exists():
        pytest.skip("needs Noto Color Emoji (Debian: fonts-noto-color-emoji)")
    return Pictures(things, all_looks)


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """A small file in CLDR's format."""
    path = tmp_path / "en.xml"
    path.write_text(ANNOTATIONS, "utf-8")
    return path
