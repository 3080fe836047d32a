from __future__ import annotations

import random

import pytest
import torch
from tools.eval_emoji.outline import boxes
from tools.train_emoji.pictures import Pictures, transforms
from tools.train_emoji.scene import Pose, Scene, pose

DOG, CAR = 0, 82


def outline(pictures: Pictures, **how: float) -> tuple[float, float, float]:
    """Length, middle from the left and middle from above, in pixels."""
    found = boxes(pictures.draw([Scene(DOG, 5)], [Pose(**how)]), torch.tensor([50, 104, 216]) / 255)
    return float(found.length), float(found.across), float(found.top + found.bottom) / 2


def test_a_scale_a_shift_and_the_ground_are_as_asked(pictures: Pictures) -> None:
    length, across, down = outline(pictures)
    half, right, below = outline(pictures, scale=0.5, right=10, down=-6)
    assert half == pytest.approx(length / 2, abs=3)
    assert right - across == pytest.approx(10, abs=2)
    assert below - down == pytest.approx(-6, abs=2)


def test_a_mirrored_picture_is_the_picture_from_behind(pictures: Pictures) -> None:
    plain = pictures.draw([Scene(DOG, 0)], [Pose()])
    mirrored = pictures.draw([Scene(DOG, 0)], [Pose(mirror=True)])
    assert torch.allclose(mirrored, plain.flip(-1), atol=1e-3)


def test_a_tilt_turns_clockwise() -> None:
    """What is above the middle of a picture tilted to the right lay to the left of the stencil's top."""
    (matrix,) = transforms([Pose(tilt=10)])
    x, y = (matrix @ torch.tensor([0.0, -0.5, 1.0])).tolist()
    assert x < 0 > y


def test_poses_fit_their_scene() -> None:
    rng = random.Random(0)
    for _ in range(200):
        small = pose(Scene(0, 0, size="small"), rng, mirrored=False)
        usual = pose(Scene(0, 0), rng, mirrored=False)
        large = pose(Scene(0, 0, size="large"), rng, mirrored=False)
        assert small.scale < usual.scale < large.scale
        assert pose(Scene(0, 0, side="left"), rng, mirrored=True).right < -10
        assert pose(Scene(0, 0, side="right"), rng, mirrored=True).right > 10
        assert not usual.mirror
