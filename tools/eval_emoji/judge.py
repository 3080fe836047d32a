"""What can be measured of pictures: grounds, sizes, corners, sharpness, variety."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tools.train_emoji.glyphs import SIZE
from tools.train_emoji.palette import COLOURS
from tools.train_emoji.pictures import Pictures
from tools.train_emoji.scene import Pose, Scene

from .outline import boxes

ASIDE = 7  # pixels: the half of what a thing is moved when it is to be at a side
SMALL_BELOW, LARGE_ABOVE = 0.82, 1.05  # of a thing's length at scale 1


def border(images: torch.Tensor) -> torch.Tensor:
    """The middle colour of the outermost four pixels of each image."""
    mask = torch.ones(SIZE, SIZE, dtype=torch.bool)
    mask[4:-4, 4:-4] = False
    return images[:, :, mask].median(-1).values


def ground_accuracy(images: torch.Tensor, asked: Sequence[Scene]) -> float:
    """The share of images whose border is nearest to the ground that was asked for."""
    palette = torch.tensor([paint for _, paint in COLOURS]) / 255
    nearest = torch.cdist(border(images), palette).argmin(1)
    return float((nearest == torch.tensor([each.ground for each in asked])).float().mean())


def grounds(asked: Sequence[Scene]) -> torch.Tensor:
    """The colours [n, 3] of the grounds."""
    return torch.tensor([COLOURS[each.ground][1] for each in asked]) / 255


def size_accuracy(images: torch.Tensor, asked: Sequence[Scene], pictures: Pictures) -> float:
    """The share of images whose thing is as long as its size says, against the thing at scale 1."""
    ground = grounds(asked)
    full = pictures.posed([(each.thing, each.paint) for each in asked], [Pose()] * len(asked))
    whole = boxes(full.over(torch.arange(len(asked)), ground), ground).length
    scale = boxes(images, ground).length / whole
    found = ["small" if s < SMALL_BELOW else "large" if s > LARGE_ABOVE else "usual" for s in scale.tolist()]
    return sum(f == each.size for f, each in zip(found, asked, strict=True)) / len(asked)


def side_accuracy(images: torch.Tensor, asked: Sequence[Scene]) -> float:
    """The share of images whose thing is on the side that was asked for."""
    off = boxes(images, grounds(asked)).across - SIZE / 2
    found = ["left" if o < -ASIDE else "right" if o > ASIDE else "middle" for o in off.tolist()]
    return sum(f == each.side for f, each in zip(found, asked, strict=True)) / len(asked)


def darkest_corner(images: torch.Tensor) -> torch.Tensor:
    """For each image the lowest value, 0..255, in its four corners of 8 x 8 pixels."""
    corners = [
        images[:, :, rows, columns]
        for rows in (slice(8), slice(-8, None))
        for columns in (slice(8), slice(-8, None))
    ]
    return torch.cat([each.flatten(1) for each in corners], 1).min(1).values * 255


def gradient_energy(images: torch.Tensor) -> torch.Tensor:
    """The sum of the squared differences of neighbouring pixels of each image: high where edges are sharp."""
    across = (images[..., 1:] - images[..., :-1]).square().sum((1, 2, 3))
    down = (images[..., 1:, :] - images[..., :-1, :]).square().sum((1, 2, 3))
    return across + down


def sharpness(images: torch.Tensor, asked: Sequence[Scene], pictures: Pictures) -> float:
    """The middle ratio of gradient energies, drawn to glyph; the glyph at the middle of the usual sizes."""
    poses = [Pose(scale=0.95)] * len(asked)
    ratios = gradient_energy(images) / gradient_energy(pictures.draw(asked, poses))
    return float(ratios.median())


def variety(images: torch.Tensor) -> float:
    """How far apart pictures of one prompt [n, 3, h, w] are: mean RMSE of two of them at 32 x 32, in 0..1."""
    small = torch.nn.functional.adaptive_avg_pool2d(images, 32).flatten(1)
    apart = torch.cdist(small, small) / small.shape[1] ** 0.5
    count = len(images)
    return float(apart.sum() / (count * (count - 1)))
