"""Names what a picture shows: the thing, and the colour of it, whose picture is nearest.

Every thing in each of its colours is drawn tilted by several angles over the ground that was asked for. A
picture and these are cut out along their outlines and shrunk to 32 x 32 pixels; the least mean square error
wins. So neither size nor place plays a part, and tilt hardly.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tools.train_emoji.palette import COLOURS
from tools.train_emoji.pictures import Pictures
from tools.train_emoji.scene import Pose, Scene

from .outline import cut_outs

TILTS = (-5.0, -2.5, 0.0, 2.5, 5.0)
SCALE = 0.95
CHUNK = 128


@dataclass(frozen=True)
class Named:
    """For each of n pictures: the nearest thing and colour, the rank of the thing asked for, the error."""

    things: list[int]
    paints: list[str]
    ranks: list[int]
    errors: list[float]

    def figures(self) -> dict[str, float]:
        """Recall at 1 and at 5, and the error (RMSE, 0..1) to the nearest picture of the thing asked for."""
        count = len(self.ranks)
        return {
            "count": count,
            "recall_1": sum(rank == 0 for rank in self.ranks) / count,
            "recall_5": sum(rank < 5 for rank in self.ranks) / count,
            "rmse": statistics.mean(self.errors),
        }


class Namer:
    """Holds the pictures to compare with."""

    def __init__(self, pictures: Pictures) -> None:
        self.count = len(pictures.looks)
        self.looks = [
            (thing, paint) for thing, own in enumerate(pictures.looks) for paint in own.paints or ("",)
        ]
        self.looks = [each for each in self.looks for _ in TILTS]
        self.things = torch.tensor([thing for thing, _ in self.looks])
        poses = [Pose(scale=SCALE, tilt=tilt) for tilt in TILTS] * (len(self.looks) // len(TILTS))
        self.stencils = [
            pictures.posed(self.looks[at : at + CHUNK], poses[at : at + CHUNK])
            for at in range(0, len(self.looks), CHUNK)
        ]
        self.known: dict[int, torch.Tensor] = {}

    def references(self, ground: int) -> torch.Tensor:
        """All cut-outs over one ground."""
        if ground not in self.known:
            colour = torch.tensor(COLOURS[ground][1]) / 255
            self.known[ground] = torch.cat(
                [
                    cut_outs(each.over(torch.arange(len(each)), colour.expand(len(each), 3)), colour)
                    for each in self.stencils
                ]
            )
        return self.known[ground]

    def name(self, images: torch.Tensor, asked: Sequence[Scene]) -> Named:
        """Names images [n, 3, h, w], each drawn for a scene."""
        found = Named([], [], [], [])
        for image, scene in zip(images, asked, strict=True):
            ground = torch.tensor(COLOURS[scene.ground][1]) / 255
            cut = cut_outs(image[None], ground)
            errors = (self.references(scene.ground) - cut).square().mean(1)
            best = torch.full([self.count], torch.inf)
            best = best.scatter_reduce(0, self.things, errors, "amin")
            found.things.append(int(best.argmin()))
            found.ranks.append(int((best < best[scene.thing]).sum()))
            found.errors.append(float(best[scene.thing]) ** 0.5)
            own = errors.where(self.things == scene.thing, torch.inf)
            found.paints.append(self.looks[int(own.argmin())][1])
        return found
