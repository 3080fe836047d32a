"""What differs when an image is drawn again."""

from __future__ import annotations

import msgspec

from gpugen.replay import differences
from gpugen_protocol.recipe import Recipe

OLD = Recipe(
    prompt="a cat",
    negative_prompt="",
    model="emoji",
    revision="abc",
    width=64,
    height=64,
    steps=20,
    guidance=3.0,
    scheduler="dpm++",
    seed=7,
    n=1,
    index=0,
    task="t",
    gpugen="0.1.0",
    reported={"device": "cpu", "torch": "2.8"},
)


def test_the_same_recipe_of_another_task_differs_in_nothing() -> None:
    assert list(differences(OLD, msgspec.structs.replace(OLD, task="u", n=4))) == []


def test_other_weights_library_and_device_are_named() -> None:
    new = msgspec.structs.replace(OLD, revision="def", reported={"device": "cuda", "torch": "2.9"})
    assert list(differences(OLD, new)) == [
        "Another revision: def, it was abc.",
        "Another device: cuda, it was cpu.",
        "Another torch: 2.9, it was 2.8.",
    ]


def test_what_the_old_one_does_not_say_is_passed_over() -> None:
    foreign = msgspec.structs.replace(OLD, model="", revision="", scheduler="", gpugen="", reported={})
    assert list(differences(foreign, OLD)) == []
