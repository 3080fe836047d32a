from __future__ import annotations

import pytest
import torch
from tools.train_emoji import paint
from tools.train_emoji.looks import Looks
from tools.train_emoji.vocabulary import Thing

COAT = paint.Coat(own="red", paints=("blue",), hue=0)


def a_picture(*colours: tuple[float, float, float]) -> torch.Tensor:
    """One opaque pixel of each colour."""
    return torch.cat([torch.tensor(colours).T[:, None], torch.ones(1, 1, len(colours))])


def test_only_the_pixels_of_the_hue_take_paint() -> None:
    red, green, white = (0.9, 0.1, 0.1), (0.1, 0.7, 0.1), (1.0, 1.0, 1.0)
    found = paint.painted(a_picture(red, red, green, white), COAT, "blue")
    assert torch.allclose(found[:3, 0, 2:], torch.tensor([green, white]).T, atol=1e-6)
    assert torch.allclose(found[:3, 0, 0] * 255, torch.tensor(paint.TINTS["blue"]).float(), atol=1)


def test_light_and_shade_stay() -> None:
    dark, middle, light = (0.5, 0.05, 0.05), (0.9, 0.1, 0.1), (1.0, 0.5, 0.5)
    found = paint.painted(a_picture(dark, middle, middle, light), COAT, "blue")
    brightness = found[:3].sum(0)[0]
    assert brightness[0] < brightness[1] < brightness[3]


def test_paint_leaves_the_outline_as_it_is() -> None:
    picture = a_picture((0.9, 0.1, 0.1), (0.9, 0.1, 0.1)) * 1.0
    picture[:, 0, 1] *= 0.25
    found = paint.painted(picture, COAT, "white")
    assert torch.equal(found[3], picture[3])
    assert (found[:3] <= found[3:] + 1e-6).all()


@pytest.mark.parametrize("colour", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 0.0)])
def test_hues_are_those_of_the_colour_circle(colour: tuple[float, float, float]) -> None:
    import colorsys

    hue, saturation = paint.hue_saturation(torch.tensor(colour))
    assert float(hue) == pytest.approx(colorsys.rgb_to_hsv(*colour)[0] * 360)
    assert float(saturation) == 1


def test_every_coat_names_colours_that_there_are_and_never_its_own_twice(
    things: tuple[Thing, ...], all_looks: tuple[Looks, ...]
) -> None:
    coats = [each.coat for each in all_looks if each.coat]
    assert len(coats) >= 20
    for coat in coats:
        assert {coat.own, *coat.paints} <= set(paint.TINTS)
        assert len(set(coat.paints)) == len(coat.paints)
        assert coat.own not in coat.paints
