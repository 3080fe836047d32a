from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tools.eval_emoji import judge, naming
from tools.eval_emoji.naming import Namer
from tools.train_emoji.pictures import Pictures
from tools.train_emoji.scene import Pose, Scene
from tools.train_emoji.vocabulary import Thing


@pytest.fixture(scope="module")
def namer(pictures: Pictures) -> Namer:
    return Namer(pictures)


@pytest.fixture(scope="module")
def number(things: tuple[Thing, ...]) -> Callable[[str], int]:
    return {thing.name: index for index, thing in enumerate(things)}.__getitem__


def test_glyphs_are_named_right_whatever_their_size_place_and_tilt(
    namer: Namer, pictures: Pictures, number: Any
) -> None:
    scenes = [Scene(number(name), 0) for name in ("dog", "pizza", "rocket", "castle", "heart", "umbrella")]
    poses = [Pose(scale=0.55 + 0.08 * k, tilt=2 * k - 5.0, right=3 * k - 9, down=k) for k in range(6)]
    found = namer.name(pictures.draw(scenes, poses), scenes)
    assert found.things == [scene.thing for scene in scenes]
    assert found.figures()["recall_1"] == 1
    assert found.figures()["rmse"] < 0.08


def test_the_colour_of_a_thing_is_told(namer: Namer, pictures: Pictures, number: Any) -> None:
    scenes = [Scene(number("car"), 0, paint) for paint in ("red", "blue", "yellow", "black")]
    found = namer.name(pictures.draw(scenes, [Pose(scale=0.9, tilt=3)] * 4), scenes)
    assert found.paints == ["red", "blue", "yellow", "black"]


def test_a_picture_of_something_else_is_a_miss(namer: Namer, pictures: Pictures, number: Any) -> None:
    dog, cat = Scene(number("dog"), 0), Scene(number("cat"), 0)
    found = namer.name(pictures.draw([dog], [Pose()]), [cat])
    assert found.things == [dog.thing]
    assert found.figures()["recall_1"] == 0


def test_sizes_are_told(pictures: Pictures, number: Any) -> None:
    scenes = [Scene(number("dog"), 0, size="small"), Scene(number("car"), 5, size="large")]
    images = pictures.draw(scenes, [Pose(scale=0.7), Pose(scale=1.12)])
    assert judge.size_accuracy(images, scenes, pictures) == 1
    usual = pictures.draw(scenes, [Pose(scale=0.95)] * 2)
    assert judge.size_accuracy(usual, scenes, pictures) == 0


def test_sides_are_told(pictures: Pictures, number: Any) -> None:
    scenes = [Scene(number("dog"), 0, side="left"), Scene(number("car"), 5, side="right")]
    aside = pictures.draw(scenes, [Pose(scale=0.85, right=-16), Pose(scale=0.85, right=16)])
    assert judge.side_accuracy(aside, scenes) == 1
    assert judge.side_accuracy(pictures.draw(scenes, [Pose(scale=0.85)] * 2), scenes) == 0


def test_the_ground_is_the_colour_of_the_border() -> None:
    images = torch.zeros(2, 3, 128, 128)
    images[1] += torch.tensor([50, 104, 216])[:, None, None] / 255
    assert judge.ground_accuracy(images, [Scene(0, 10), Scene(0, 5)]) == 1
    assert judge.ground_accuracy(images, [Scene(0, 10), Scene(0, 10)]) == 0.5


def test_a_blurred_picture_is_less_sharp_and_alike_pictures_have_no_variety(
    pictures: Pictures, number: Any
) -> None:
    scene = Scene(number("castle"), 0)
    image = pictures.draw([scene], [Pose(scale=0.95)])
    soft = torch.nn.functional.avg_pool2d(image, 5, 1, 2, count_include_pad=False)
    assert judge.sharpness(image, [scene], pictures) == pytest.approx(1)
    assert judge.sharpness(soft, [scene], pictures) < 0.5
    assert judge.variety(image.expand(3, -1, -1, -1)) == pytest.approx(0, abs=1e-5)
    assert naming.TILTS[0] < 0 < naming.TILTS[-1]
