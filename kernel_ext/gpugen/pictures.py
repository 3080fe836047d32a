"""One PNG for the notebook file: a small image as it is, a copy of a large one, or a contact sheet."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from gpugen_protocol.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_SIDE = 512  # pixels
MAX_BYTES = 200_000  # of one picture in the file; base64 adds a third
MAX_SHEET_BYTES = 500_000
_COLUMNS = 4
_TILE = 256  # pixels: longest side of an image on a contact sheet
_GAP = 8
_PALETTE = 256  # colours: a photo of 512 px then stays below MAX_BYTES


class Picture(Struct, frozen=True):
    """A PNG and its size in pixels."""

    png: bytes
    width: int
    height: int


def picture_of(pngs: Sequence[bytes]) -> Picture:
    """What to keep of the images `pngs` (at least one).

    Raises:
        MissingExtra: it takes Pillow, which is not installed.
    """
    if len(pngs) > 1:
        return _squeezed(_sheet([_open(png) for png in pngs]), MAX_SHEET_BYTES)
    width, height = struct.unpack_from(">II", pngs[0], 16)  # the PNG header
    if max(width, height) <= MAX_SIDE and len(pngs[0]) <= MAX_BYTES:
        return Picture(pngs[0], width, height)
    return _squeezed(_scaled(_open(pngs[0]), MAX_SIDE), MAX_BYTES)


def thumbnail(png: bytes, side: int) -> bytes:
    """`png` with its longest side at most `side` pixels, as a PNG; raises as `picture_of`."""
    return _encoded(_scaled(_open(png), side))


def _sheet(images: Sequence[Image]) -> Image:
    """The images side by side, at most four in a row, on a transparent ground: it suits light and dark."""
    import PIL.Image

    tiles = [_scaled(image, _TILE) for image in images]
    columns = min(_COLUMNS, len(tiles))
    width, height = max(tile.width for tile in tiles), max(tile.height for tile in tiles)
    rows = math.ceil(len(tiles) / columns)
    size = (columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP)
    sheet = PIL.Image.new("RGBA", size, (0, 0, 0, 0))
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        sheet.paste(tile, (column * (width + _GAP), row * (height + _GAP)))
    return sheet


def _scaled(image: Image, side: int) -> Image:
    """`image` with its longest side at most `side` pixels."""
    scaled = image.copy()
    scaled.thumbnail((side, side))
    return scaled


def _squeezed(image: Image, limit: int) -> Picture:
    """`image` as a PNG of at most `limit` bytes if possible: first with fewer colours, then smaller."""
    while True:
        for form in _forms(image):
            png = _encoded(form)
            if len(png) <= limit or max(image.size) <= _TILE:
                return Picture(png, image.width, image.height)
        image = _scaled(image, max(image.size) * 3 // 4)


def _forms(image: Image) -> Iterator[Image]:
    """`image` as it is and, where it can be dithered (not if it is transparent), with a palette."""
    yield image
    if image.mode == "RGB":
        yield image.quantize(palette=image.quantize(_PALETTE))


def _encoded(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _open(png: bytes) -> Image:
    try:
        import PIL.Image
    except ModuleNotFoundError:
        raise MissingExtra(
            "Showing large images, or several at once, needs Pillow, which is not installed.",
            hint='Run: pip install "gpugen[notebook]".',
        ) from None
    image = PIL.Image.open(io.BytesIO(png))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
