"""How the images of a cell stand on the page: while they are drawn as in the file, so nothing jumps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from gpugen_protocol.request import ResolvedRequest

WIDTH = 512  # CSS pixels: the longest side of one image, and the width of several
COLUMNS = 4
GAP = 8
LINE = 15  # of a caption


class Tile(Struct, frozen=True):
    """The place of one image: what stands below it, and what it shows for those who cannot see it."""

    lines: tuple[str, ...]
    title: str


class Board(Struct, frozen=True):
    """Places in rows of `columns`, all of one size in CSS pixels; a single one has no caption."""

    tiles: tuple[Tile, ...]
    width: int
    height: int
    columns: int

    @property
    def caption(self) -> int:
        """The height of the captions."""
        return LINE * max(len(tile.lines) for tile in self.tiles) if len(self.tiles) > 1 else 0

    @property
    def size(self) -> tuple[int, int]:
        """The width and height of all."""
        rows = math.ceil(len(self.tiles) / self.columns)
        row = self.height + self.caption
        return self.columns * (self.width + GAP) - GAP, rows * (row + GAP) - GAP

    def place(self, index: int) -> tuple[int, int]:
        """The left upper corner of an image."""
        row, column = divmod(index, self.columns)
        return column * (self.width + GAP), row * (self.height + self.caption + GAP)

    def only(self, count: int) -> Board:
        """The first `count` places, where not all images were finished."""
        return make(self.tiles[:count], (self.width, self.height), self.columns)


def make(tiles: Sequence[Tile], size: tuple[int, int], columns: int = COLUMNS) -> Board:
    """A board of images of `size` pixels, scaled down so far that it fits."""
    columns = max(1, min(columns, len(tiles)))
    room = (WIDTH + GAP) // columns - GAP
    scale = min(1.0, room / size[0]) if columns > 1 else min(1.0, WIDTH / max(size))
    return Board(tuple(tiles), max(1, round(size[0] * scale)), max(1, round(size[1] * scale)), columns)


def of_request(request: ResolvedRequest) -> Board:
    """The board of a single task: an image a seed."""
    tiles = [Tile((f"seed {seed}",), f"{request.prompt} (seed {seed})") for seed in request.seeds]
    return make(tiles, (request.width, request.height))
