from __future__ import annotations

import random

import pytest
from tools.train_emoji import captions, palette
from tools.train_emoji.captions import Wordings
from tools.train_emoji.looks import Looks
from tools.train_emoji.scene import Scene
from tools.train_emoji.split import Sampler
from tools.train_emoji.vocabulary import Thing


def names(things: tuple[Thing, ...], word: str) -> int:
    return next(index for index, thing in enumerate(things) if word in thing.words)


@pytest.mark.parametrize(
    ("pattern", "words", "caption"),
    [
        ("a {}", "apple", "an apple"),
        ("a {}", "dog", "a dog"),
        ("draw a {}", "owl", "draw an owl"),
        ("", "cat", "cat"),
        ("a {}", "unicorn", "a unicorn"),
    ],
)
def test_the_article_fits_the_word(pattern: str, words: str, caption: str) -> None:
    assert captions.fill(pattern, words) == caption


def test_a_caption_that_names_no_background_belongs_to_white(sampler: Sampler) -> None:
    rng = random.Random(1)
    for each in (sampler.draw(rng) for _ in range(2000)):
        if each.scene.ground != palette.WHITE:
            assert any(name in each.text for name in palette.COLOURS[each.scene.ground][0])


def test_a_colour_that_one_could_not_know_is_named(
    things: tuple[Thing, ...], all_looks: tuple[Looks, ...]
) -> None:
    wordings, rng = Wordings(things, all_looks), random.Random(2)
    scene = Scene(names(things, "heart"), 0, "blue")
    assert all("blue" in wordings.caption(scene, rng) for _ in range(200))


def test_a_caption_never_gives_a_thing_two_colours(
    things: tuple[Thing, ...], all_looks: tuple[Looks, ...]
) -> None:
    wordings, rng = Wordings(things, all_looks), random.Random(3)
    scene = Scene(names(things, "apple"), 0, "green")
    texts = [wordings.caption(scene, rng) for _ in range(300)]
    assert all("red" not in text.split() for text in texts)


def test_sizes_and_sides_are_said(things: tuple[Thing, ...], all_looks: tuple[Looks, ...]) -> None:
    wordings, rng = Wordings(things, all_looks), random.Random(4)
    scene = Scene(names(things, "penguin"), 5, size="small", side="left")
    for _ in range(200):
        words = wordings.caption(scene, rng).replace(",", "").split()
        assert "left" in words
        assert "blue" in words
        assert {"small", "tiny", "little"} & set(words)


def test_held_out_wordings_are_none_of_those_that_training_uses() -> None:
    assert not set(captions.HELD_OUT_PREFIXES) & set(captions.PREFIXES)
    assert not set(captions.HELD_OUT_GROUNDS) & set(captions.GROUNDS)
