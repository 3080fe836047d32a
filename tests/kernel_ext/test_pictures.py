"""What of the images goes into the notebook file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pytest
from PIL import Image

from gpugen.board import COLUMNS, WIDTH, Tile, make
from gpugen.pictures import MAX_BYTES, picture_of, thumbnail

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
    assert (picture.data, picture.mime, picture.width, picture.height) == (original, "image/png", 512, 64)


@pytest.mark.parametrize("side", [512, 1024])
def test_a_large_photo_becomes_a_jpeg_of_the_same_shape(side: int) -> None:
    picture = picture_of([noise(side)])
    assert len(picture.data) <= MAX_BYTES
    assert (picture.mime, picture.width, picture.height) == ("image/jpeg", WIDTH, WIDTH)
    assert max(opened(picture.data).size) <= WIDTH


def test_what_is_transparent_stays_so() -> None:
    out = io.BytesIO()
    Image.frombytes("RGBA", (600, 600), os.urandom(600 * 600 * 4)).save(out, "PNG")
    picture = picture_of([out.getvalue()])
    assert (picture.mime, len(picture.data) <= MAX_BYTES) == ("image/png", True)
    assert opened(picture.data).convert("RGBA").getextrema()[3][0] < 255


def test_a_large_plain_image_stays_a_png(png: Png) -> None:
    picture = picture_of([png(2048, 1024)])
    assert (picture.mime, picture.width, picture.height) == ("image/png", 512, 256)


def test_full_keeps_every_pixel_and_the_same_place_on_the_page(png: Png) -> None:
    original = png(2048, 1024)
    picture = picture_of([original], full=True)
    assert (picture.data, picture.width) == (original, 512)
    sheet = picture_of([png(512, 512)] * 4, full=True)
    assert (sheet.width, opened(sheet.data).width > 2000) == (512, True)


@pytest.mark.parametrize(("n", "size"), [(2, (136, 64)), (4, (280, 64)), (5, (280, 136)), (16, (280, 280))])
def test_several_images_stand_at_most_four_in_a_row(png: Png, n: int, size: tuple[int, int]) -> None:
    picture = picture_of([png(64, 64)] * n)
    assert (picture.width, picture.height) == size


@pytest.mark.parametrize(("n", "width"), [(2, 252), (3, 165), (4, 122), (9, 122)])
def test_several_large_images_are_as_wide_as_one(n: int, width: int) -> None:
    board = make([Tile((), "")] * n, (1024, 768), COLUMNS)
    assert board.width == width
    assert board.size[0] <= WIDTH


def test_captions_stand_below_their_images_and_a_missing_one_leaves_a_gap(png: Png) -> None:
    board = make([Tile((f"seed {k}",), "") for k in range(3)], (64, 64))
    sheet = opened(picture_of([png(64, 64), b"", png(64, 64)], board).data).convert("RGBA")
    assert sheet.size == board.size == (208, 79)
    assert sheet.getpixel((80, 32))[3] == 0
    ink = [max(sheet.crop((x, 64, x + 64, 79)).getextrema()[3]) for x in (0, 72, 144)]
    assert all(ink)


def test_the_ground_between_them_is_transparent(png: Png) -> None:
    sheet = opened(picture_of([png(64, 64, (1, 2, 3))] * 2).data).convert("RGBA")
    assert sheet.getpixel((0, 0)) == (1, 2, 3, 255)
    assert sheet.getpixel((68, 0))[3] == 0


def test_a_sheet_of_many_large_images_stays_bounded() -> None:
    assert len(picture_of([noise(256)] * 16).data) <= MAX_BYTES


def test_a_thumbnail_keeps_the_shape(png: Png) -> None:
    assert opened(thumbnail(png(512, 256), 128)).size == (128, 64)


@pytest.mark.parametrize("mode", ["P", "L", "RGBA", "LA", "I;16"])
def test_any_kind_of_png_can_be_put_on_a_sheet(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (64, 64)).save(out, "PNG")
    assert picture_of([out.getvalue()] * 2).width == 136
