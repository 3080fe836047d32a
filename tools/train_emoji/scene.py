"""What a picture shows: a scene is what a caption can say of it, a pose what is left to the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

SIZES = ("usual", "small", "large")
SIDES = ("middle", "left", "right")


@dataclass(frozen=True)
class Scene:
    """A thing on a plain ground.

    Attributes:
        thing: its index.
        ground: the index of the background's colour.
        paint: the name of the thing's colour; empty: its own.
        size, side: one of SIZES, of SIDES.
    """

    thing: int
    ground: int
    paint: str = ""
    size: str = "usual"
    side: str = "middle"


@dataclass(frozen=True)
class Pose:
    """How a thing stands: mirrored or not, scaled, tilted (degrees), moved (pixels), lit (a factor)."""

    mirror: bool = False
    scale: float = 1.0
    tilt: float = 0.0
    right: float = 0.0
    down: float = 0.0
    shade: float = 1.0


# For each size its least and greatest scale, in the middle and at a side.
SCALES = {"usual": (0.86, 1.0), "small": (0.66, 0.72), "large": (1.1, 1.15)}
SIDE_SCALES = {"usual": (0.82, 0.88), "small": (0.66, 0.72), "large": (0.88, 0.92)}
ASIDE = (
    16.0  # pixels: one cell of the latents, so that what a convolution learnt in the middle holds there too
)
TILT = 7.0
DRIFT = 3.0
SHADES = (0.86, 1.08)


def pose(scene: Scene, rng: random.Random, *, mirrored: bool) -> Pose:
    """One of the ways to stand that fit `scene`."""
    aside = scene.side != "middle"
    low, high = (SIDE_SCALES if aside else SCALES)[scene.size]
    scale = rng.uniform(low, high)
    steady = 0.4 if scene.size == "large" else 1.0  # nothing must leave the picture
    right = rng.uniform(-DRIFT, DRIFT) * steady
    if aside:
        right = (ASIDE + rng.uniform(-1.5, 1.5)) * (-1 if scene.side == "left" else 1)
    return Pose(
        mirror=mirrored and rng.random() < 0.5,
        scale=scale,
        tilt=rng.uniform(-TILT, TILT) * steady,
        right=right,
        down=rng.uniform(-DRIFT, DRIFT) * steady,
        shade=rng.uniform(*SHADES),
    )
