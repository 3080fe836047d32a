"""One picture for the notebook file: a small image as it is, a copy of a large one, or several on a sheet."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gpugen.board import WIDTH, Board, Tile, make
from gpugen_protocol.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_BYTES = 140_000  # of a picture in the file: 187 KB in base64, so that a cell stays below 200 KB
_SMALLEST = 128  # pixels: below it a picture is not shrunk to save bytes
_QUALITIES = (90, 80, 65)
_INK = (128, 128, 128, 255)  # readable on light and on dark
_TEXT = 11  # pixels


class Picture(Struct, frozen=True):
    """A picture, its format, and the size in CSS pixels it is shown at."""

    data: bytes
    mime: Literal["image/png", "image/jpeg"]
    width: int
    height: int


def picture_of(pngs: Sequence[bytes], board: Board | None = None, *, full: bool = False) -> Picture:
    """What to keep of some images.

    Args:
        pngs: at least one; where several stand on a sheet, an empty one leaves a gap.
        board: how they stand.
        full: keep every pixel, whatever it takes.

    Raises:
        MissingExtra: it takes Pillow, which is not installed.
    """
    first = next(filter(None, pngs))
    width, height = struct.unpack_from(">II", first, 16)  # the PNG header
    if len(pngs) > 1:
        board = board or make([Tile((), "")] * len(pngs), (width, height))
        images = [_open(png) if png else None for png in pngs]
        sheet = _sheet(images, board, width / board.width if full else 1.0)
        return _shown(_png(sheet) if full else _squeezed(sheet, MAX_BYTES), *board.size)
    scale = min(1.0, WIDTH / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if full or (scale == 1.0 and len(pngs[0]) <= MAX_BYTES):
        return _shown(pngs[0], *size)
    return _shown(_squeezed(_scaled(_open(pngs[0]), WIDTH), MAX_BYTES), *size)


def thumbnail(png: bytes, side: int) -> bytes:
    """`png` with its longest side at most `side` pixels, as a PNG; raises as `picture_of`."""
    return _png(_scaled(_open(png), side))


def _shown(data: bytes, width: int, height: int) -> Picture:
    return Picture(data, "image/png" if data.startswith(b"\x89PNG") else "image/jpeg", width, height)


def _sheet(images: Sequence[Image | None], board: Board, scale: float) -> Image:
    """The images with their captions on a transparent ground: it suits light and dark."""
    import PIL.Image
    from PIL import ImageDraw, ImageFont

    size = (round(board.size[0] * scale), round(board.size[1] * scale))
    sheet = PIL.Image.new("RGBA", size, (0, 0, 0, 0))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT * scale)
    for index, (image, tile) in enumerate(zip(images, board.tiles, strict=False)):
        x, y = (round(part * scale) for part in board.place(index))
        room = (round(board.width * scale), round(board.height * scale))
        if image is not None:
            fitted = image.copy()
            fitted.thumbnail(room)
            sheet.paste(fitted, (x + (room[0] - fitted.width) // 2, y + (room[1] - fitted.height) // 2))
        for number, line in enumerate(tile.lines):
            at = (x + room[0] // 2, y + room[1] + round((2 + 15 * number) * scale))
            draw.text(at, _cut(line, board.width), _INK, font, anchor="ma")
    return sheet


def _cut(line: str, width: int) -> str:
    """As much of `line` as stands below an image of `width` pixels, by a rough measure."""
    limit = max(4, round(width / (_TEXT * 0.52)))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _scaled(image: Image, side: int) -> Image:
    """`image` with its longest side at most `side` pixels."""
    scaled = image.copy()
    scaled.thumbnail((side, side))
    return scaled


def _squeezed(image: Image, limit: int) -> bytes:
    """`image` in at most `limit` bytes if possible: first as something coarser, then with fewer pixels."""
    while True:
        for data in _forms(image):
            if len(data) <= limit or max(image.size) <= _SMALLEST:
                return data
        image = _scaled(image, max(image.size) * 3 // 4)


def _forms(image: Image) -> Iterator[bytes]:
    """As PNG, then coarser: JPEG, which everything shows, or where it is transparent with a palette."""
    import PIL.Image

    yield _png(image)
    if image.mode == "RGBA":
        yield _png(image.quantize(method=PIL.Image.Quantize.FASTOCTREE))
        return
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        yield buffer.getvalue()


def _png(image: Image) -> bytes:
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
