"""A model that draws one size, asked for another."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from PIL import Image
from tests.worker.recording import Recording

from gpugen_protocol.models import Model, parse_registry
from gpugen_protocol.request import TaskRequest
from gpugen_worker.canvas import Canvas
from gpugen_worker.diffusion import DiffusionGenerator
from gpugen_worker.generator import NOISE, Start, revision_of

MODEL = parse_registry({}).get("emoji")
BLUE = (50, 104, 216)
Draw = Callable[..., tuple[Image.Image, Recording]]


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory, a_request: Any) -> Draw:
    """`draw(width, height, start=NOISE, **request)`: a castle, and what was observed."""
    generator = DiffusionGenerator((MODEL,), data_dir=tmp_path_factory.mktemp("data"))

    def draw(width: int, height: int, start: Start = NOISE, **changes: Any) -> Any:
        fields = {"prompt": "a castle on a blue background", "steps": MODEL.steps} | changes
        seen = Recording()
        (image,) = generator.draw(a_request(MODEL, width=width, height=height, **fields), seen, start)
        return image, seen

    return draw


def canvas(width: int, height: int, start: Start = NOISE, model: Model = MODEL) -> Canvas:
    task = TaskRequest(prompt="a dog", width=width, height=height)
    return Canvas.of(model, parse_registry({}).resolve(task, 1), start)


def apart(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of their pixels, of 255."""
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize("side", [64, 256, 512])
def test_a_square_of_another_size_is_the_same_drawing_scaled(draw: Draw, side: int) -> None:
    own, _ = draw(128, 128)
    found, _ = draw(side, side)
    assert found.size == (side, side)
    assert apart(found, own.resize((side, side), Image.Resampling.LANCZOS)) < 3
    assert revision_of(found) == revision_of(own) != ""


@pytest.mark.parametrize(
    ("size", "middle"), [((512, 256), (128, 0, 384, 256)), ((64, 160), (0, 48, 64, 112))]
)
def test_what_is_no_square_has_the_drawing_in_the_middle_of_its_ground(
    draw: Draw, size: tuple[int, int], middle: tuple[int, int, int, int]
) -> None:
    own, _ = draw(128, 128)
    found, _ = draw(*size)
    assert found.size == size
    side = min(size)
    assert apart(found.crop(middle), own.resize((side, side), Image.Resampling.LANCZOS)) < 4
    pixels = np.asarray(found, int).copy()
    pixels[middle[1] : middle[3], middle[0] : middle[2]] = BLUE
    assert np.abs(pixels - BLUE).max() < 30, "blue to every edge"


def test_it_is_said_once_and_not_where_nothing_is_scaled(draw: Draw) -> None:
    _, plain = draw(128, 128)
    assert plain.logs == []
    _, seen = draw(256, 256)
    assert seen.logs == [("warning", "emoji draws at 128 x 128; the picture is scaled to 256 x 256.")]


def test_previews_have_the_shape_of_the_picture(draw: Draw) -> None:
    _, seen = draw(512, 256)
    sizes = {Image.open(io.BytesIO(jpeg)).size for jpeg in seen.previews}
    assert sizes == {(128, 64)}


def test_a_picture_that_is_started_from_comes_back_in_its_place(draw: Draw) -> None:
    first, _ = draw(512, 256)
    again, _ = draw(512, 256, Start(first), seed=9, init_image="0" * 26, strength=0.2)
    other, _ = draw(512, 256, seed=9)
    assert again.size == (512, 256)
    assert apart(again, first) < apart(again, other)


def test_an_image_and_its_mask_are_cut_to_the_square_in_the_middle() -> None:
    image = Image.new("RGB", (512, 256), "red")
    image.paste("green", (128, 0, 384, 256))
    mask = Image.new("L", (512, 256))
    mask.paste(255, (256, 0, 512, 256))
    start = canvas(512, 256, Start(image, mask)).start
    assert start.image is not None
    assert start.mask is not None
    assert start.image.size == start.mask.size == (128, 128)
    assert {start.image.getpixel((column, 64)) for column in (3, 64, 124)} == {(0, 128, 0)}
    assert (start.mask.getpixel((10, 64)), start.mask.getpixel((118, 64))) == (0, 255)


def test_a_thing_that_reaches_an_edge_does_not_colour_the_ground() -> None:
    drawing = Image.new("RGB", (128, 128), BLUE)
    drawing.paste("red", (0, 20, 70, 100))
    picture = canvas(512, 256).picture(drawing)
    assert picture.getpixel((5, 128)) == BLUE
    assert picture.getpixel((200, 128)) == (255, 0, 0)
    edge = np.asarray(picture.crop((128, 128, 148, 129)), int)[0, :, 0]
    assert (np.diff(edge) >= 0).all(), "it fades in"


def test_a_model_that_draws_any_size_is_given_what_was_asked_for() -> None:
    model = structs.replace(MODEL, native_side=0)
    drawing = Image.new("RGB", (256, 128), BLUE)
    start = Start(drawing)
    plain = canvas(256, 128, start, model)
    assert not plain.scales
    assert plain.picture(drawing) is plain.preview(drawing) is plain.start.image is drawing
