from __future__ import annotations

import io

import pytest
from PIL import Image

from gpugen_protocol.models import parse_registry
from gpugen_protocol.request import ResolvedRequest
from gpugen_worker import starts


def as_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def request_64x32(a_request) -> ResolvedRequest:
    return a_request(parse_registry({}).get("emoji"), width=64, height=32)


def test_an_image_of_another_shape_covers_what_is_drawn(request_64x32):
    image = Image.new("RGB", (100, 100), "red")
    image.paste("blue", (0, 0, 100, 20))
    start = starts.read(request_64x32, as_png(image))
    assert (start.image.size, start.image.mode, start.mask) == ((64, 32), "RGB", None)
    assert start.image.getpixel((32, 2)) == (255, 0, 0), "what stands out is cut off on both sides"


def test_what_is_transparent_becomes_white_and_a_mask_gray(request_64x32):
    clear = Image.new("RGBA", (64, 32), (0, 0, 0, 0))
    mask = Image.new("RGB", (32, 16), "white")
    start = starts.read(request_64x32, as_png(clear), as_png(mask))
    assert start.image.getpixel((3, 3)) == (255, 255, 255)
    assert (start.mask.mode, start.mask.size, start.mask.getpixel((3, 3))) == ("L", (64, 32), 255)
