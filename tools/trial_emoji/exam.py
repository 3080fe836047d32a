"""What is measured of a denoiser, alike for every noising."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from tools.eval_emoji import judge
from tools.eval_emoji.artist import Artist
from tools.eval_emoji.naming import Namer
from tools.train_emoji.captions import Captioned
from tools.train_emoji.denoiser import Batches
from tools.train_emoji.noising import Noising

LEVELS = {"little": (0.0, 1 / 3), "half": (1 / 3, 2 / 3), "much": (2 / 3, 1.0)}
CHUNK = 32


def clean_errors(unet: UNet2DConditionModel, batches: Batches) -> dict[str, float]:
    """The mean square error of the clean latents that it sees behind noisy ones, by how noisy they are.

    How noisy is the angle between signal and noise, in right angles: 0.5 where both are as strong. So every
    noising is asked the same, of the whole bank, with the same noise each time.
    """
    rng, generator = random.Random("exam"), torch.Generator().manual_seed(1)
    bank, noising, found = batches.bank, batches.method.noising, {}
    for name, (low, high) in LEVELS.items():
        errors = []
        for first in range(0, len(bank), CHUNK):
            clean, scenes = (each[first : first + CHUNK] for each in (bank.latents, bank.scenes))
            texts = [batches.wordings.caption(each, rng) for each in scenes]
            times = times_of(noising, low + (high - low) * torch.rand(len(clean), generator=generator))
            batch = batches.noised(clean, texts, times, generator)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                predicted = unet(batch.noisy, batch.times, batch.hidden).sample
            seen = noising.clean(batch.noisy, predicted.float(), times)
            errors.append((seen - clean).square().mean((1, 2, 3)))
        found[f"error, {name} noise"] = float(torch.cat(errors).mean())
    return found


def times_of(noising: Noising, levels: torch.Tensor) -> torch.Tensor:
    """The times at which it is so noisy."""
    angles = torch.atan2(noising.noise, noising.signal) / (torch.pi / 2)
    return torch.searchsorted(angles.contiguous(), levels).clamp(max=len(angles) - 1)


@dataclass(frozen=True)
class Drawing:
    """What is drawn of prompts, named as in the evaluation."""

    captions: list[Captioned]
    namer: Namer

    def figures(self, pipeline: StableDiffusionPipeline, noising: Noising) -> dict[str, float]:
        """Recall, the error to the nearest picture of the thing, the share of right grounds."""
        pipeline.scheduler = noising.scheduler()
        pipeline.set_progress_bar_config(disable=True)
        images = Artist(pipeline).draw([each.text for each in self.captions], seed=1000)
        scenes = [each.scene for each in self.captions]
        figures = self.namer.name(images, scenes).figures()
        return figures | {"ground": judge.ground_accuracy(images, scenes)}
