"""Draws scenes: every thing in every colour once as a stencil, then posed and laid over its ground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional as F

from . import glyphs
from .glyphs import MARGIN, SIZE, Stencils
from .looks import Looks
from .paint import painted
from .palette import COLOURS
from .scene import Pose, Scene
from .vocabulary import Thing

FINE = 2  # samples a pixel and side, averaged


class Pictures:
    """The things in all their colours, at the size of the font; draws them as asked."""

    def __init__(self, things: Sequence[Thing], looks: Sequence[Looks], font: Path = glyphs.FONT) -> None:
        plain = glyphs.strikes(things, font)
        rows = list(plain)
        self.rows = {(index, ""): index for index in range(len(things))}
        for index, each in enumerate(looks):
            if each.coat:
                self.rows[index, each.coat.own] = index
                for paint in each.coat.paints:
                    self.rows[index, paint] = len(rows)
                    rows.append(painted(plain[index], each.coat, paint))
        self.looks = looks
        self.stack = torch.stack(rows)

    def posed(self, looks: Sequence[tuple[int, str]], poses: Sequence[Pose]) -> Stencils:
        """(thing, paint) pairs as stencils of SIZE pixels a side."""
        sources = self.stack[[self.rows[each] for each in looks]]
        side = SIZE * FINE
        grid = F.affine_grid(transforms(poses), [len(poses), 4, side, side], align_corners=False)
        fine = F.grid_sample(sources, grid, mode="bilinear", align_corners=False)
        small = F.avg_pool2d(fine, FINE)
        alpha = small[:, 3:]
        shade = torch.tensor([each.shade for each in poses])[:, None, None, None]
        return Stencils(torch.minimum(small[:, :3] * shade, alpha), alpha)

    def draw(self, scenes: Sequence[Scene], poses: Sequence[Pose]) -> torch.Tensor:
        """Images [n, 3, SIZE, SIZE] in 0..1."""
        grounds = torch.tensor([COLOURS[each.ground][1] for each in scenes]) / 255
        found = self.posed([(each.thing, each.paint) for each in scenes], poses)
        return found.over(torch.arange(len(scenes)), grounds)


def transforms(poses: Sequence[Pose]) -> torch.Tensor:
    """For each pose the matrix [2, 3] that takes a place in the picture, in -1..1, to one in the stencil."""
    rows = []
    reach = SIZE / (SIZE - 2 * MARGIN)  # a stencil drawn at scale 1 leaves the margin free
    for each in poses:
        angle = math.radians(each.tilt)
        flip = -1 if each.mirror else 1
        cosine, sine = (reach * part(angle) / each.scale for part in (math.cos, math.sin))
        right, down = each.right * 2 / SIZE, each.down * 2 / SIZE
        first = [flip * cosine, flip * sine, -flip * (cosine * right + sine * down)]
        rows.append([first, [-sine, cosine, sine * right - cosine * down]])
    return torch.tensor(rows)
