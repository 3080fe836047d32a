"""The images a task starts from: as many pixels as it draws, whatever was sent."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from gpugen_protocol.request import ResolvedRequest
from gpugen_worker.generator import Start

if TYPE_CHECKING:
    from PIL.Image import Image


def read(request: ResolvedRequest, image: bytes, mask: bytes | None = None) -> Start:
    """The PNGs that the server gave, scaled to cover what is drawn; what stands out is cut off evenly."""
    size = (request.width, request.height)
    start = _cover(_on_white(_open(image)), size)
    return Start(start, None if mask is None else _cover(_open(mask).convert("L"), size))


def _open(png: bytes) -> Image:
    from PIL import Image

    return Image.open(io.BytesIO(png), formats=["PNG"])


def _on_white(image: Image) -> Image:
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _cover(image: Image, size: tuple[int, int]) -> Image:
    from PIL import Image, ImageOps

    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)
