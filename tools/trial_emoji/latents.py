"""Autoencoders with latents of other shapes, each from nothing, for as long as a denoiser."""

from __future__ import annotations

import random

import torch
from diffusers import AutoencoderTiny

from tools.train_emoji import autoencoder, bank, examples, glyphs
from tools.train_emoji.autoencoder import EXACT_EVERY, EXACT_TAIL, FLAT, LEARNING_RATE
from tools.train_emoji.bank import Bank
from tools.train_emoji.run import Run
from tools.train_emoji.stage import Average, rate

from .clock import shares

# Channels and levels of the autoencoder; as many numbers each.
SHAPES = {"latents of 8 x 8 x 24": (24, 5), "latents of 4 x 4 x 96": (96, 6)}


def trained(run: Run, channels: int, levels: int, seconds: float) -> tuple[AutoencoderTiny, dict[str, float]]:
    """An autoencoder whose latents have mean 0 and deviation 1, and what it is worth."""
    torch.manual_seed(run.seed)
    vae = autoencoder.build(channels, levels)
    average, source = Average(vae, decay=0.99), examples.posed(run.pictures)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=1e-4)
    step = 0
    for share in shares(seconds):
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * rate(int(1000 * share), 1000, flat=FLAT)
        rng = random.Random(f"trial {run.seed} {step}")
        exact = share > EXACT_TAIL or step % EXACT_EVERY == 0
        autoencoder.train_step(vae, optimiser, source(rng), rng, exact)
        average.update(vae)
        step += 1
    vae.load_state_dict(average.weights)
    psnr = autoencoder.measure(vae, glyphs.render(run.things, run.font))
    autoencoder.standardise(vae, examples.latents(vae, run.pictures, run.seed))
    return vae, {"autoencoder steps": step, "psnr": psnr}


def encoded(run: Run, vae: AutoencoderTiny) -> Bank:
    """The same scenes as in the run's bank."""
    return bank.encoded(vae, run.pictures, run.sampler, run.steps["bank"], run.seed)
