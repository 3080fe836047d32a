from __future__ import annotations

import random

from tools.train_emoji import split
from tools.train_emoji.lessons import Lessons
from tools.train_emoji.looks import Looks
from tools.train_emoji.split import Sampler
from tools.train_emoji.vocabulary import Thing


def test_the_same_seed_draws_the_same_captions(sampler: Sampler) -> None:
    first, second = random.Random(3), random.Random(3)
    assert [sampler.draw(first) for _ in range(200)] == [sampler.draw(second) for _ in range(200)]


def test_training_never_draws_a_held_out_combination(
    things: tuple[Thing, ...], all_looks: tuple[Looks, ...], sampler: Sampler
) -> None:
    grounds = {(each.scene.thing, each.scene.ground) for each in split.held_out(things, all_looks, 0)}
    paints = {(each.scene.thing, each.scene.paint) for each in split.held_out_paints(things, all_looks, 0)}
    rng, lessons = random.Random(0), Lessons(sampler, [("something near",)] * len(things))
    scenes = [sampler.scene(rng) for _ in range(20_000)] + [lessons.draw(rng).scene for _ in range(5_000)]
    assert len(grounds) >= 200
    assert len(paints) >= 20
    assert not grounds & {(each.thing, each.ground) for each in scenes}
    assert not paints & {(each.thing, each.paint) for each in scenes}


def test_what_people_ask_for_most_is_taught(things: tuple[Thing, ...], all_looks: tuple[Looks, ...]) -> None:
    kept = split.split(things, all_looks, 0).paints
    for thing, out in zip(things, kept, strict=True):
        assert not any((word, paint) in split.TAUGHT for word in thing.words for paint in out)


def test_every_thing_and_every_colour_left_is_drawn(
    things: tuple[Thing, ...], all_looks: tuple[Looks, ...], sampler: Sampler
) -> None:
    rng = random.Random(5)
    drawn = {(scene.thing, scene.paint) for scene in (sampler.scene(rng) for _ in range(20_000))}
    for thing, paints in enumerate(sampler.paints):
        assert all((thing, paint) in drawn for paint in paints or [""])
