from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gpugen.png_text import texts
from gpugen.recipes import read_recipe
from gpugen_protocol import wire
from gpugen_protocol.recipe import RECIPE_KEY, Recipe

RECIPE = Recipe(
    prompt="a slice of pizza, ünïcödé 🍕",
    negative_prompt="",
    model="emoji",
    revision="1",
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
)


def png(info: PngInfo) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_recipe_that_pillow_wrote_is_read_back(compressed: bool) -> None:
    info = PngInfo()
    info.add_itxt(RECIPE_KEY, wire.encode(RECIPE).decode(), zip=compressed)
    assert read_recipe(png(info)) == RECIPE


@pytest.mark.parametrize("compressed", [False, True])
def test_plain_text_chunks_are_read(compressed: bool) -> None:
    info = PngInfo()
    info.add_text("parameters", "a cat\nSteps: 20", zip=compressed)
    assert texts(png(info)) == {"parameters": "a cat\nSteps: 20"}


def test_an_image_without_a_recipe_has_none() -> None:
    assert read_recipe(png(PngInfo())) is None


def test_a_recipe_in_another_form_counts_as_none() -> None:
    info = PngInfo()
    info.add_itxt(RECIPE_KEY, '{"prompt": 3}')
    assert read_recipe(png(info)) is None


def test_a_text_that_would_blow_up_is_cut() -> None:
    bomb = b"parameters\0\0" + zlib.compress(b"x" * 50_000_000)
    chunk = struct.pack(">I4s", len(bomb), b"zTXt") + bomb + struct.pack(">I", 0)
    assert len(texts(b"\x89PNG\r\n\x1a\n" + chunk)["parameters"]) == 1 << 20


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_make_the_reader_fail(data: bytes, signed: bool) -> None:
    read_recipe(b"\x89PNG\r\n\x1a\n" + data if signed else data)


@given(st.integers(0, 400))
def test_a_file_that_was_cut_anywhere_does_not_make_the_reader_fail(length: int) -> None:
    info = PngInfo()
    info.add_itxt(RECIPE_KEY, wire.encode(RECIPE).decode(), zip=True)
    assert read_recipe(png(info)[:length]) in [None, RECIPE]
