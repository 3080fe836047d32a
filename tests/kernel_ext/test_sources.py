"""What somebody may start from."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpugen.sources import LONGEST, find, image_bytes
from gpugen_protocol.errors import InvalidRequest


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_file_or_its_bytes_go_as_they_are(tmp_path: Path, png: Callable[..., bytes]) -> None:
    data = png(64, 32, format="JPEG")
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    assert image_bytes(path) == image_bytes(str(path)) == image_bytes(data) == data


def test_another_format_and_too_many_pixels_are_encoded_anew(png: Callable[..., bytes]) -> None:
    assert opened(image_bytes(png(64, 32, format="BMP"))).format == "PNG"
    assert opened(image_bytes(png(LONGEST * 2, 64))).size == (LONGEST, 32)


@pytest.mark.parametrize(
    "array",
    [
        np.full((32, 64, 3), 200, "uint8"),
        np.full((32, 64, 3), 200 / 255, "float32"),
        np.full((32, 64, 3), 200, "int64"),
    ],
)
def test_arrays_of_whole_numbers_or_fractions(array: Any) -> None:
    image = opened(image_bytes(array))
    assert (image.size, image.getpixel((3, 3))) == ((64, 32), (200, 200, 200))


def test_a_mask_of_yes_and_no() -> None:
    mask = np.zeros((32, 64), bool)
    mask[:, 32:] = True
    image = opened(image_bytes(mask))
    assert (image.getpixel((0, 0)), image.getpixel((63, 0))) == (0, 255)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16"])
def test_pil_images_of_any_mode(mode: str) -> None:
    assert opened(image_bytes(Image.new(mode, (64, 32)))).size == (64, 32)


@pytest.mark.parametrize("source", [7, b"nonsense", "nothing.png", np.zeros((3, 3, 3, 3)), object()])
def test_anything_else_is_refused_in_words(source: Any) -> None:
    with pytest.raises(InvalidRequest):
        image_bytes(source)


def test_a_name_is_a_variable_before_it_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.touch()
    assert find("photo", {"photo": 7}) == 7
    assert find(str(path), {}) == path
    with pytest.raises(InvalidRequest, match="neither a variable nor a file"):
        find("nothing", {})
