"""The bundled model: seeds, attributes, guidance, negative prompts, and a picture to start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gpugen_protocol.models import parse_registry
from gpugen_worker.choice import local_folder

MODEL = parse_registry({}).get("emoji")
SEEDS = range(6)
Draw = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def pipeline() -> Any:
    import diffusers

    found = diffusers.DiffusionPipeline.from_pretrained(local_folder(MODEL))
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def draw(pipeline: Any) -> Draw:
    """`draw(prompt, seeds=SEEDS, **more)`: pictures [n, height, width, 3] in 0..255."""

    def draw(prompt: str, seeds: Any = SEEDS, **more: Any) -> np.ndarray:
        settings = {"num_inference_steps": MODEL.steps, "guidance_scale": MODEL.guidance} | more
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        found = pipeline([prompt] * len(generators), generator=generators, output_type="np", **settings)
        return np.asarray(found.images) * 255

    return draw


def thing_colour(image: np.ndarray) -> np.ndarray:
    """The mean colour of what differs from white."""
    return np.asarray(image[(image < 235).any(2)].mean(0))


def outline(image: np.ndarray) -> tuple[float, float]:
    """Of what differs from white the longer side and the middle from the left, in pixels."""
    rows, columns = (np.flatnonzero((image < 225).any(2).sum(axis) >= 2) for axis in (1, 0))
    length = max(rows[-1] - rows[0], columns[-1] - columns[0])
    return float(length), float(columns[-1] + columns[0]) / 2


def shrunk(images: np.ndarray) -> np.ndarray:
    """16 x 16 pixels each: what is left is shape and colour."""
    return images.reshape(len(images), 16, 8, 16, 8, 3).mean((2, 4))


@pytest.mark.parametrize("prompt", ["a car", "a rocket", "an elephant", "a dog"])
def test_every_seed_draws_another_picture_of_the_same_thing(draw: Draw, prompt: str) -> None:
    images = shrunk(draw(prompt))
    apart = [np.sqrt(np.square(a - b).mean()) for k, a in enumerate(images) for b in images[:k]]
    assert min(apart) > 1.5, "of 255: another picture"
    assert np.mean(apart) > 3


def test_seeds_turn_things_a_little(draw: Draw) -> None:
    """The longest line of a key, from its middle, has another slope each time."""
    slopes = []
    for image in draw("a key", range(8)):
        rows, columns = np.nonzero((image < 235).any(2))
        spread = np.cov(columns, rows)
        slopes.append(np.degrees(np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1])) / 2)
    assert max(slopes) - min(slopes) > 2


@pytest.mark.parametrize(("paint", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_a_car_has_the_colour_that_was_asked_for(draw: Draw, paint: str, channel: int) -> None:
    for image in draw(f"a {paint} car"):
        assert thing_colour(image).argmax() == channel


def test_a_small_thing_is_smaller_than_a_large_one(draw: Draw) -> None:
    small, usual, large = (
        np.mean([outline(image)[0] for image in draw(prompt)])
        for prompt in ("a small pumpkin", "a pumpkin", "a large pumpkin")
    )
    assert small < 0.75 * usual < usual < large


def test_guidance_changes_the_picture_and_stays_clean(draw: Draw) -> None:
    weak, strong = draw("a cat", guidance_scale=1.0), draw("a cat", guidance_scale=4.0)
    assert np.abs(weak - strong).mean() > 2
    assert strong[:, :6, :6].mean() > 240, "white stays white"


def test_a_negative_prompt_keeps_away_what_it_names(draw: Draw) -> None:
    """A balloon may have any colour; red ones become rarer, which is to be seen in the mean of many."""
    seeds = range(16)

    def redness(**more: Any) -> float:
        colours = [thing_colour(image) for image in draw("a balloon", seeds, guidance_scale=3.0, **more)]
        return float(np.mean([colour[0] - max(colour[1:]) for colour in colours]))

    assert redness(negative_prompt=["red balloon"] * len(seeds)) < redness() - 20


def test_a_picture_to_start_from_keeps_its_ground_and_becomes_another_thing(pipeline: Any) -> None:
    import diffusers

    again = diffusers.StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    again.set_progress_bar_config(disable=True)
    start = Image.new("RGB", (128, 128), (50, 104, 216))
    start.paste((200, 30, 30), (40, 40, 88, 88))

    def changed(strength: float) -> np.ndarray:
        found = again(
            "a strawberry on a blue background",
            image=start,
            strength=strength,
            num_inference_steps=16,
            guidance_scale=MODEL.guidance,
            generator=torch.Generator().manual_seed(1),
        ).images[0]
        return np.abs(np.asarray(found, float) - np.asarray(start, float))

    little, much = changed(0.2), changed(0.9)
    assert much[30:100, 30:100].mean() > little[30:100, 30:100].mean()
    assert much[:8].mean() < 25, "the ground stays blue"
