"""What of the images goes into the notebook file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pytest
from PIL import Image

from gpugen.pictures import MAX_BYTES, MAX_SHEET_BYTES, MAX_SIDE, picture_of, thumbnail

Png = Callable[..., bytes]


def noise(side: int) -> bytes:
    """A PNG that does not compress."""
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(side * side * 3)).save(out, "PNG")
    return out.getvalue()


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_a_small_image_is_kept_byte_for_byte(png: Png) -> None:
    original = png(512, 64)
    picture = picture_of([original])
    assert (picture.png, picture.width, picture.height) == (original, 512, 64)


@pytest.mark.parametrize("side", [512, 1024])
def test_a_large_image_becomes_a_smaller_file_of_the_same_shape(side: int) -> None:
    picture = picture_of([noise(side)])
    assert len(picture.png) <= MAX_BYTES
    assert picture.width == picture.height <= MAX_SIDE
    assert opened(picture.png).size == (picture.width, picture.height)


def test_a_large_plain_image_stays_as_large_as_can_be(png: Png) -> None:
    picture = picture_of([png(2048, 1024)])
    assert (picture.width, picture.height) == (512, 256)


@pytest.mark.parametrize(("n", "size"), [(2, (136, 64)), (4, (280, 64)), (5, (280, 136)), (16, (280, 280))])
def test_several_images_stand_at_most_four_in_a_row(png: Png, n: int, size: tuple[int, int]) -> None:
    picture = picture_of([png(64, 64)] * n)
    assert (picture.width, picture.height) == size


def test_the_ground_between_them_is_transparent(png: Png) -> None:
    sheet = opened(picture_of([png(64, 64, (1, 2, 3))] * 2).png).convert("RGBA")
    assert sheet.getpixel((0, 0)) == (1, 2, 3, 255)
    assert sheet.getpixel((68, 0))[3] == 0


def test_a_sheet_of_many_large_images_stays_bounded() -> None:
    assert len(picture_of([noise(256)] * 16).png) <= MAX_SHEET_BYTES


def test_a_thumbnail_keeps_the_shape(png: Png) -> None:
    assert opened(thumbnail(png(512, 256), 128)).size == (128, 64)


@pytest.mark.parametrize("mode", ["P", "L", "RGBA", "LA", "I;16"])
def test_any_kind_of_png_can_be_put_on_a_sheet(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (64, 64)).save(out, "PNG")
    assert picture_of([out.getvalue()] * 2).width == 136
