"""Draws the training pictures: an emoji of Noto Color Emoji over a plain colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .vocabulary import Thing

SIZE = 128
MARGIN = 8
STRIKE = 109  # the one bitmap size inside the font
CANVAS = 136
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")


@dataclass(frozen=True)
class Stencils:
    """Every thing's picture as premultiplied RGBA in 0..1: `ink` is colour times alpha."""

    ink: torch.Tensor  # [thing, 3, SIZE, SIZE]
    alpha: torch.Tensor  # [thing, 1, SIZE, SIZE]

    def __len__(self) -> int:
        return len(self.ink)

    def over(self, things: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
        """Things [n] over plain colours [n, 3], as images [n, 3, SIZE, SIZE] in 0..1."""
        return self.ink[things] + (1 - self.alpha[things]) * colours[:, :, None, None]


def strike(glyph: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """The glyph at the size of the font, in the middle of its canvas."""
    image = Image.new("RGBA", (CANVAS, CANVAS))
    ImageDraw.Draw(image).text((CANVAS / 2, CANVAS / 2), glyph, font=font, embedded_color=True, anchor="mm")
    box = image.getbbox()
    if box is None:
        raise ValueError(f"the font has no picture for {glyph!r}")
    # Centred by its ink, since some glyphs sit off the middle of their cell.
    centred = Image.new("RGBA", (CANVAS, CANVAS))
    width, height = box[2] - box[0], box[3] - box[1]
    centred.paste(image.crop(box), ((CANVAS - width) // 2, (CANVAS - height) // 2))
    return centred


def premultiplied(image: Image.Image) -> NDArray[np.float32]:
    """Scaled to SIZE with a margin. Text drawn over transparent black is premultiplied already, as
    scaling needs it: plain colours would leave a dark rim.
    """
    data = np.asarray(image, np.float32) / 255
    inner = SIZE - 2 * MARGIN
    planes = []
    for channel in range(4):
        plane = Image.fromarray(data[..., channel])
        planes.append(np.asarray(plane.resize((inner, inner), Image.Resampling.LANCZOS)))
    small = np.clip(np.stack(planes), 0, 1)
    small[:3] = np.minimum(small[:3], small[3:])
    return np.pad(small, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))).astype(np.float32)


def strikes(things: Sequence[Thing], font_path: Path = FONT) -> torch.Tensor:
    """Every thing at the size of the font, premultiplied: [thing, 4, CANVAS, CANVAS] in 0..1."""
    font = ImageFont.truetype(str(font_path), STRIKE)
    found = np.stack([np.asarray(strike(thing.glyph, font), np.float32) for thing in things]) / 255
    found[..., :3] = np.minimum(found[..., :3], found[..., 3:])
    return torch.from_numpy(found).permute(0, 3, 1, 2).contiguous()


def render(things: Sequence[Thing], font_path: Path = FONT) -> Stencils:
    """Every thing, drawn once."""
    font = ImageFont.truetype(str(font_path), STRIKE)
    stack = torch.from_numpy(np.stack([premultiplied(strike(thing.glyph, font)) for thing in things]))
    return Stencils(stack[:, :3].contiguous(), stack[:, 3:].contiguous())
