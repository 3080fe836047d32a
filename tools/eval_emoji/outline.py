"""Where in a picture the thing is: all that differs from the ground."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

CLEAR = 0.2  # of 0..1, in one channel at least: more than the grain of a drawn ground
LEAST = 4  # pixels a row or column that count
SIDE = 32  # of a cut-out


@dataclass(frozen=True)
class Boxes:
    """The outlines of n pictures, in pixels: each [n]."""

    left: torch.Tensor
    top: torch.Tensor
    right: torch.Tensor
    bottom: torch.Tensor

    @property
    def length(self) -> torch.Tensor:
        """The longer side."""
        return torch.maximum(self.right - self.left, self.bottom - self.top)

    @property
    def across(self) -> torch.Tensor:
        """The middle, from the left."""
        return (self.left + self.right) / 2


def boxes(images: torch.Tensor, ground: torch.Tensor) -> Boxes:
    """Of images [n, 3, h, w] over grounds [n, 3] or [3]; the whole picture where nothing is to be seen."""
    differs = (images - ground.reshape(-1, 3, 1, 1)).abs().amax(1) > CLEAR
    left, right = ends(differs.sum(1) >= LEAST)
    top, bottom = ends(differs.sum(2) >= LEAST)
    return Boxes(left, top, right, bottom)


def ends(filled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The first and one beyond the last true value of each row."""
    count = filled.shape[1]
    first = filled.int().argmax(1)
    last = count - filled.flip(1).int().argmax(1)
    return first.float(), last.float()


def cut_outs(images: torch.Tensor, ground: torch.Tensor) -> torch.Tensor:
    """What is inside the outlines, in a square a little larger, as [n, 3 * SIDE * SIDE]: sizes are alike."""
    found = boxes(images, ground)
    pixels = images.shape[-1]
    reach = (found.length * 1.1 / pixels).clamp_min(0.1)
    across = (found.left + found.right) / pixels - 1
    down = (found.top + found.bottom) / pixels - 1
    nothing = torch.zeros_like(reach)
    rows = torch.stack([reach, nothing, across, nothing, reach, down], 1).view(-1, 2, 3)
    grid = F.affine_grid(rows, [len(images), 3, SIDE * 2, SIDE * 2], align_corners=False)
    fine = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(fine, 2).flatten(1)
