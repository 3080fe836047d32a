"""Latents as the denoiser draws them: from these the decoder learns to put up with its slips.

What it draws from nothing has a pose that nobody knows, and so no picture to compare with. It finishes
latents of the bank instead that were noised half-way (as in Meng et al. 2022, "SDEdit"): the pose stays, the
strokes are its own. Those that came out as something else are left out.
"""

from __future__ import annotations

import random

import torch
from diffusers import StableDiffusionPipeline

from .bank import Bank
from .captions import Wordings

BATCH = 16
STEPS = 12
FIRST = 5  # of STEPS: the earlier ones, which decide on the pose, are left out
GUIDANCE = 2.0  # more than when in use: larger slips to learn from
FARTHEST = 0.6  # mean square error beyond which it shows something else; the latents' deviation is 1


def redraw(pipeline: StableDiffusionPipeline, bank: Bank, wordings: Wordings, count: int, seed: int) -> Bank:
    """`count` latents of the bank, drawn by the denoiser from half-way on."""
    rng = random.Random(f"drawn {seed}")
    chosen = rng.sample(range(len(bank)), count)
    parts = []
    with torch.no_grad():
        for first in range(0, count, BATCH):
            some = chosen[first : first + BATCH]
            texts = [wordings.caption(bank.scenes[each], rng) for each in some]
            generator = torch.Generator().manual_seed(seed + first)
            parts.append(finish(pipeline, bank.latents[some], texts, generator))
    found = torch.cat(parts)
    errors = (found - bank.latents[chosen]).square().mean((1, 2, 3))
    kept = [(place, at) for place, at in enumerate(chosen) if errors[place] < FARTHEST]
    return Bank(
        [bank.scenes[at] for _, at in kept],
        [bank.poses[at] for _, at in kept],
        found[[place for place, _ in kept]],
    )


def finish(
    pipeline: StableDiffusionPipeline, clean: torch.Tensor, texts: list[str], generator: torch.Generator
) -> torch.Tensor:
    """Latents noised to step FIRST and denoised from there."""
    scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(STEPS)
    times = scheduler.timesteps[FIRST:]
    scheduler.set_begin_index(FIRST)
    noise = torch.randn(clean.shape, generator=generator)
    latents = scheduler.add_noise(clean, noise, times[:1].expand(len(clean)))
    wanted, nothing = pipeline.encode_prompt(texts, "cpu", 1, True)
    hidden = torch.cat([nothing, wanted])
    for time in times:
        away, found = pipeline.unet(torch.cat([latents] * 2), time, hidden).sample.chunk(2)
        latents = scheduler.step(away + GUIDANCE * (found - away), time, latents).prev_sample
    return latents
