import io
import json
import struct
import zlib

import pytest
from PIL import Image

from gpugen_protocol.errors import InvalidImage
from gpugen_protocol.recipe import Recipe
from gpugen_server.images import codec


def recipe(width=64, height=64, prompt="a cat"):
    return Recipe(
        prompt=prompt, negative_prompt="", model="emoji", revision="", width=width, height=height, steps=20,
        guidance=3.0, scheduler="dpm++", seed=7, n=1, index=0, task="t", gpugen="0.1.0",
    )  # fmt: skip


def opened(data):
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_what_arrives_leaves_as_a_png_with_its_recipe(png, format):
    encoded = codec.encode(png(64, 64, format=format), recipe(prompt="a cät \U0001f431"))
    image = opened(encoded.png)
    assert (image.format, image.size, image.mode) == ("PNG", (64, 64), "RGB")
    assert json.loads(image.text["gpugen"])["prompt"] == "a cät \U0001f431"
    assert "Seed: 7, Size: 64x64" in image.text["parameters"]


def test_pixels_of_a_png_are_kept_exactly():
    image = Image.effect_noise((64, 64), 90).convert("RGB")
    out = io.BytesIO()
    image.save(out, "PNG")
    assert opened(codec.encode(out.getvalue(), recipe()).png).tobytes() == image.tobytes()


def test_a_prompt_with_nul_and_newlines_makes_a_png_that_opens():
    encoded = codec.encode(solid(), recipe(prompt="a\x00b\nc"))
    assert json.loads(opened(encoded.png).text["gpugen"])["prompt"] == "a\x00b\nc"


def test_whatever_hides_behind_or_inside_the_image_is_gone(png):
    payload = b"<script>alert(1)</script>"
    out = io.BytesIO()
    info = Image.Exif()
    info[0x9286] = payload.decode()
    opened(png(64, 64)).save(out, "PNG", exif=info)
    encoded = codec.encode(out.getvalue() + payload, recipe())
    assert payload not in encoded.png
    assert "exif" not in opened(encoded.png).info


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", b"GIF89a", b"<svg/>", b"%PDF-1.4"],
    ids=["nothing", "nonsense", "gif", "svg", "pdf"],
)
def test_what_is_no_image_of_the_known_kinds_is_refused(data):
    with pytest.raises(InvalidImage):
        codec.encode(data, recipe())


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused_even_if_they_can_be_decoded(png, kind):
    with pytest.raises(InvalidImage, match="no PNG"):
        codec.encode(png(64, 64, format=kind), recipe())


def test_a_truncated_image_is_refused(png):
    noisy = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(noisy, "PNG")
    with pytest.raises(InvalidImage):
        codec.encode(noisy.getvalue()[:-500], recipe())


def test_another_size_than_asked_for_is_refused(png):
    with pytest.raises(InvalidImage, match="64 x 32"):
        codec.encode(png(64, 32), recipe())


def test_a_bomb_is_refused_before_its_pixels_are_read():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(InvalidImage):
        codec.encode(bomb, recipe())


def test_an_animation_is_refused():
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(InvalidImage, match="more than one frame"):
        codec.encode(out.getvalue(), recipe())


def test_transparency_is_kept():
    out = io.BytesIO()
    Image.new("RGBA", (64, 64), (1, 2, 3, 4)).save(out, "PNG")
    assert opened(codec.encode(out.getvalue(), recipe()).png).getpixel((0, 0)) == (1, 2, 3, 4)


def test_a_thumbnail_keeps_the_shape_and_is_never_larger_than_the_image(png):
    assert opened(codec.thumbnail(png(512, 256), 128)).size == (128, 64)
    assert opened(codec.thumbnail(png(64, 64), 256)).size == (64, 64)


def test_every_image_of_the_largest_size_may_be_uploaded():
    assert codec.max_upload(2048, 2048) > 2048 * 2048 * 4


def solid():
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    return out.getvalue()
