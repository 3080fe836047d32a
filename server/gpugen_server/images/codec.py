"""Untrusted bytes to a clean PNG that carries its recipe. Runs in a decoder's process, see decoders.py."""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import TYPE_CHECKING, NamedTuple

from gpugen_protocol import wire
from gpugen_protocol.errors import InvalidImage
from gpugen_protocol.recipe import PARAMETERS_KEY, RECIPE_KEY, Recipe

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP")
LONGEST = 2048  # pixels of a side: no task draws more
_LEVEL = 3  # of zlib: a third of the default's time for a few percent more bytes


class Encoded(NamedTuple):
    """A PNG of ours, and SHA-256 of it and of the bytes it was made from."""

    png: bytes
    sha256: str
    source: str


def max_upload(width: int, height: int) -> int:
    """How many bytes an image of this size may have: raw RGBA, half as much again, and room for headers."""
    return width * height * 6 + 65_536


def encode(data: bytes, recipe: Recipe) -> Encoded:
    """`data` decoded, checked against its recipe, and written as a PNG that carries the recipe.

    Raises:
        InvalidImage: the bytes are no PNG, JPEG or WebP of the promised size with one frame.
    """
    pixels = _decode(data, (recipe.width, recipe.height))
    png = _write(pixels, recipe)
    return Encoded(png, hashlib.sha256(png).hexdigest(), hashlib.sha256(data).hexdigest())


class Cleaned(NamedTuple):
    """A PNG of ours made from an image that tasks may start from, its size, and SHA-256 of it."""

    png: bytes
    width: int
    height: int
    sha256: str


def clean(data: bytes, longest: int) -> Cleaned:
    """`data` decoded and written as a PNG that carries nothing else.

    Raises:
        InvalidImage: the bytes are no PNG, JPEG or WebP with one frame and sides of at most `longest` pixels.
    """
    pixels = _decode(data, longest=longest)
    png = _png(pixels, None)
    return Cleaned(png, pixels.width, pixels.height, hashlib.sha256(png).hexdigest())


def thumbnail(png: bytes, side: int) -> bytes:
    """The image of ours in `png` as a PNG whose longer side has at most `side` pixels."""
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        image.thumbnail((side, side))
        return _png(image, None)


def _decode(data: bytes, size: tuple[int, int] | None = None, longest: int = 0) -> Image.Image:
    """The pixels of an image that must have `size`, or else sides of at most `longest` pixels."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = LONGEST**2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.MAX_IMAGE_PIXELS = LONGEST**2
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check(image, size, longest)
                pixels = image.convert("RGBA" if image.mode in {"RGBA", "LA", "PA"} else "RGB")
                pixels.info.clear()  # a colour profile, say, would be written out as it came
                return pixels
    except UnidentifiedImageError:
        raise InvalidImage("The bytes are no PNG, JPEG or WebP.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning) as error:
        raise InvalidImage(f"The image cannot be decoded: {error}.") from None


def _check(image: Image.Image, size: tuple[int, int] | None, longest: int) -> None:
    """Before any pixel is read: only the header was, so far."""
    found = f"The image has {image.width} x {image.height} pixels"
    if size is not None and image.size != size:
        raise InvalidImage(f"{found}, {size[0]} x {size[1]} were asked for.")
    if size is None and max(image.size) > longest:
        raise InvalidImage(f"{found}; neither side may have more than {longest}.")
    if getattr(image, "n_frames", 1) != 1:
        raise InvalidImage("The image has more than one frame.")


def _write(image: Image.Image, recipe: Recipe) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt(RECIPE_KEY, wire.encode(recipe).decode())
    info.add_itxt(PARAMETERS_KEY, recipe.parameters())
    return _png(image, info)


def _png(image: Image.Image, info: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info, compress_level=_LEVEL)
    return out.getvalue()
