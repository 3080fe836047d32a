"""Latents as the denoiser draws them: from these the decoder learns to put up with its slips.

Only combinations that training may show are drawn, and those that went wrong are left out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from diffusers import StableDiffusionPipeline

from .autoencoder import Made
from .captions import WHITE, Sampler, caption
from .vocabulary import Thing

BATCH = 12
STEPS = 16
GUIDANCE = 3.0  # more than when in use: larger slips to learn from


def draw(
    pipeline: StableDiffusionPipeline, things: Sequence[Thing], latents: torch.Tensor, seed: int
) -> Made:
    """One try for every thing over every colour it may be shown on; `latents` are what they should be."""
    pipeline.set_progress_bar_config(disable=True)
    rng = random.Random(f"drawn {seed}")
    pairs = [(thing, colour) for thing, own in enumerate(Sampler(things, seed).allowed) for colour in own]
    rng.shuffle(pairs)
    texts = [caption(things[thing], colour, rng, plain=colour == WHITE) for thing, colour in pairs]
    parts = []
    for first in range(0, len(pairs), BATCH):
        found = pipeline(
            texts[first : first + BATCH],
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(seed + first),
            output_type="latent",
        ).images
        parts.append(found)
    return right(torch.cat(parts), torch.tensor(pairs), latents)


def right(found: torch.Tensor, pairs: torch.Tensor, latents: torch.Tensor) -> Made:
    """Those that are nearest to the thing they were meant to be."""
    wanted = latents[pairs[:, 1]].flatten(2)  # for each, all things over its colour
    nearest = (wanted - found.flatten(1)[:, None]).square().mean(2).argmin(1)
    kept = nearest == pairs[:, 0]
    return Made(found[kept], pairs[kept, 0], pairs[kept, 1])
