"""What is drawn on: the size that was asked for, or the square that a model draws, brought to that size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import structs
from PIL import Image, ImageFilter, ImageOps

from gpugen_protocol.models import Model
from gpugen_protocol.request import ResolvedRequest
from gpugen_worker.generator import NOISE, Start

_EDGE = 2  # pixels at the edge of a drawing that tell the colour of its ground
_SEAM = 24  # over this part of its side a drawing fades into the ground around it
_CRISP = 1.5  # times larger, from where on edges are made steeper: Lanczos alone leaves them soft
_NOISE = 4  # of 255: fainter steps are grain, not edges


@dataclass(frozen=True)
class Canvas:
    """Between what was asked for and what is drawn.

    Attributes:
        asked: width and height, in pixels, of the picture that goes back.
        drawn: of the drawing that it is made from.
        start: what the drawing starts from, of its size.
    """

    asked: tuple[int, int]
    drawn: tuple[int, int]
    start: Start = NOISE

    @classmethod
    def of(cls, model: Model, request: ResolvedRequest, start: Start = NOISE) -> Canvas:
        """What `model` draws `request` on; `start` has the size that is asked for.

        Of `start` that part is cut out where `picture` puts the drawing. So nothing in it is squeezed, and a
        picture that is started from again comes back in its place.
        """
        asked = (request.width, request.height)
        drawn = (model.native_side, model.native_side) if model.native_side else asked
        return cls(asked, drawn, Start(_cut(start.image, drawn), _cut(start.mask, drawn)))

    @property
    def scales(self) -> bool:
        """Whether the drawing has another size than the picture."""
        return self.asked != self.drawn

    def request(self, request: ResolvedRequest) -> ResolvedRequest:
        """`request` for the size that is drawn."""
        width, height = self.drawn
        return structs.replace(request, width=width, height=height)

    def picture(self, drawing: Image.Image) -> Image.Image:
        """`drawing` as the picture that was asked for."""
        return _centred(drawing, self.asked) if self.scales else drawing

    def preview(self, drawing: Image.Image) -> Image.Image:
        """A look at an unfinished drawing, in the shape of the picture and no longer than it was."""
        if not self.scales:
            return drawing
        scale = max(drawing.size) / max(self.asked)
        width, height = (max(1, round(side * scale)) for side in self.asked)
        return _centred(drawing, (width, height))


def _cut(image: Image.Image | None, size: tuple[int, int]) -> Image.Image | None:
    if image is None or image.size == size:
        return image
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _centred(square: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`square` scaled to the shorter side, in the middle of its own ground."""
    side = min(size)
    scaled = _scaled(square, side)
    if size == scaled.size:
        return scaled
    picture = Image.new("RGB", size, _ground(square))
    at = ((size[0] - side) // 2, (size[1] - side) // 2)
    picture.paste(scaled, at, _faded(side, across=size[0] > size[1]))
    return picture


def _scaled(square: Image.Image, side: int) -> Image.Image:
    scaled = square.resize((side, side), Image.Resampling.LANCZOS)
    larger = side / square.width
    return scaled if larger < _CRISP else scaled.filter(ImageFilter.UnsharpMask(larger * 0.7, 80, _NOISE))


def _ground(square: Image.Image) -> tuple[int, int, int]:
    """The colour at its edges: the median, since a thing may reach one of them."""
    pixels = np.asarray(square)
    inner = np.zeros(pixels.shape[:2], bool)
    inner[_EDGE:-_EDGE, _EDGE:-_EDGE] = True
    red, green, blue = np.median(pixels[~inner], axis=0).round().astype(int).tolist()
    return red, green, blue


def _faded(side: int, *, across: bool) -> Image.Image:
    """How much of the square is seen: less and less towards the two edges that have ground beside them."""
    ramp = np.minimum(1.0, (np.arange(side) + 0.5) * _SEAM / side)
    mask = Image.fromarray((np.minimum(ramp, ramp[::-1]) * 255).round().astype("uint8")[None, :])
    mask = mask.resize((side, side))
    return mask if across else mask.transpose(Image.Transpose.ROTATE_90)
