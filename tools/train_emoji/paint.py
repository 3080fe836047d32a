"""Paints a picture: gives the pixels of its main hue another colour and keeps their light and shade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

# The middle tone of a painted thing; stronger than the backgrounds of the same names, as glyphs are.
TINTS: Mapping[str, tuple[int, int, int]] = {
    "red": (232, 42, 44),
    "orange": (255, 138, 20),
    "yellow": (253, 206, 44),
    "green": (66, 168, 70),
    "blue": (38, 98, 222),
    "light blue": (128, 206, 250),
    "purple": (134, 68, 196),
    "pink": (250, 140, 186),
    "brown": (132, 86, 58),
    "black": (56, 58, 62),
    "white": (240, 241, 244),
    "gray": (150, 154, 160),
}
BRIGHT = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
GRAY_BELOW = 0.2  # saturation of the pixels that count as gray
LIGHT = torch.tensor([0.299, 0.587, 0.114])  # how bright each channel looks (ITU-R BT.601)


@dataclass(frozen=True)
class Coat:
    """What of a glyph takes paint, and which paints it is offered in.

    Attributes:
        own: the colour that the glyph has by itself.
        paints: the other colours it may have.
        hue: the middle of the hues that take paint, in degrees; below 0: the gray pixels do.
        width: how far around it, in degrees.
        free: whether it has any of its colours when a prompt names none; else it has its own.
    """

    own: str
    paints: tuple[str, ...]
    hue: float
    width: float = 30.0
    free: bool = False


def hue_saturation(colour: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Hue in degrees and saturation in 0..1 of colours [3, ...] in 0..1."""
    most, least = colour.max(0).values, colour.min(0).values
    spread = (most - least).clamp_min(1e-6)
    red, green, blue = colour
    sector = torch.where(
        most == red,
        (green - blue) / spread % 6,
        torch.where(most == green, (blue - red) / spread + 2, (red - green) / spread + 4),
    )
    return sector * 60, spread / most.clamp_min(1e-6)


def mask(colour: torch.Tensor, coat: Coat) -> torch.Tensor:
    """How far, 0..1, each pixel of [3, h, w] takes paint: soft at the ends of the range of hues."""
    hue, saturation = hue_saturation(colour)
    if coat.hue < 0:
        return ((GRAY_BELOW + 0.1 - saturation) / 0.1).clamp(0, 1)
    off = (hue - coat.hue + 180) % 360 - 180
    return ((coat.width + 8 - off.abs()) / 8).clamp(0, 1) * ((saturation - 0.12) / 0.12).clamp(0, 1)


def painted(picture: torch.Tensor, coat: Coat, paint: str) -> torch.Tensor:
    """A premultiplied picture [4, h, w] in another colour: dark tones are scaled, light ones go to white."""
    ink, alpha = picture[:3], picture[3:]
    colour = (ink / alpha.clamp_min(1e-3)).clamp(0, 1)
    light = torch.einsum("c,chw->hw", LIGHT, colour)
    taken = mask(colour, coat)
    middle = light[(taken > 0.5) & (alpha[0] > 0.9)].median()
    tint = (torch.tensor(TINTS[paint]) / 255)[:, None, None]
    dark = (light / middle).clamp(max=1)
    glare = ((light - middle) / (1 - middle).clamp_min(0.05)).clamp(0, 1)
    fresh = tint * dark
    fresh = fresh + (1 - fresh) * glare * 0.8
    return torch.cat([(colour + (fresh - colour) * taken) * alpha, alpha])
