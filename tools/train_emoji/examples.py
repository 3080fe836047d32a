"""Pictures for the autoencoder: any scene on any ground, a good share of them as the font draws them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from diffusers import AutoencoderTiny

from .autoencoder import BATCH, Example, Source, colours, encode
from .bank import Bank
from .pictures import Pictures
from .scene import SIDES, SIZES, Pose, Scene, pose

AS_DRAWN = 0.25  # the share of things in the font's own pose and colour
PAINTED = 0.5
SMALL_OR_LARGE = 0.25
ASIDE = 0.15


def scene(pictures: Pictures, rng: random.Random) -> tuple[Scene, Pose]:
    """A scene and a pose, whatever a caption could say of it; the ground is chosen elsewhere."""
    thing = rng.randrange(len(pictures.looks))
    if rng.random() < AS_DRAWN:
        return Scene(thing, 0), Pose()
    looks = pictures.looks[thing]
    found = Scene(
        thing,
        0,
        paint=rng.choice(looks.paints) if looks.paints and rng.random() < PAINTED else "",
        size=rng.choice(SIZES[1:]) if rng.random() < SMALL_OR_LARGE else SIZES[0],
        side=rng.choice(SIDES[1:]) if rng.random() < ASIDE else SIDES[0],
    )
    return found, pose(found, rng, mirrored=looks.mirrored)


def posed(pictures: Pictures) -> Source:
    """An endless stream of batches."""

    def example(rng: random.Random) -> Example:
        drawn = [scene(pictures, rng) for _ in range(BATCH)]
        stencils = pictures.posed(
            [(each.thing, each.paint) for each, _ in drawn], [pose for _, pose in drawn]
        )
        images = stencils.over(torch.arange(BATCH), colours(BATCH, rng))
        return Example(images.contiguous(memory_format=torch.channels_last))

    return example


def settled(pictures: Pictures, banks: Sequence[Bank]) -> Source:
    """Latents of each bank in equal parts, with the pictures that they are to become."""
    filled = [bank for bank in banks if len(bank)]

    def example(rng: random.Random) -> Example:
        drawn = [(bank, rng.randrange(len(bank))) for bank in filled for _ in range(BATCH // len(filled))]
        scenes = [bank.scenes[at] for bank, at in drawn]
        images = pictures.draw(scenes, [bank.poses[at] for bank, at in drawn])
        latents = torch.stack([bank.latents[at] for bank, at in drawn])
        return Example(
            images.contiguous(memory_format=torch.channels_last),
            latents.contiguous(memory_format=torch.channels_last),
        )

    return example


def latents(vae: AutoencoderTiny, pictures: Pictures, seed: int, count: int = 512) -> torch.Tensor:
    """Latents [n, channels, 8, 8] of pictures such as it was trained on."""
    rng = random.Random(f"latents {seed}")
    source = posed(pictures)
    with torch.no_grad():
        return torch.cat([encode(vae, source(rng).images) for _ in range(count // BATCH)])
