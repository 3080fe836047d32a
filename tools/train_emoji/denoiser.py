"""The denoiser: a small UNet2DConditionModel over the latents, told by the text encoder what to draw.

v-prediction (Salimans and Ho 2022) with a zero terminal signal and trailing steps (Lin et al. 2024,
"Common diffusion noise schedules and sample steps are flawed"), so that the background colour is
decided by the caption and not by the noise; captions are dropped at times for classifier-free guidance
(Ho and Salimans 2022).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

from . import text_encoder
from .autoencoder import LATENT_SIZE
from .captions import Sampler
from .stage import Average, Stage, rate
from .vocabulary import Thing

WIDTHS = (96, 192)
BATCH = 16
LEARNING_RATE = 8e-4
FLAT = 0.45
CLIP = 1.0
EARLY = 0.7  # below 1: more of the noisy times, where the picture is decided


def build(latent_channels: int, text_width: int) -> UNet2DConditionModel:
    """A fresh denoiser."""
    unet = UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=WIDTHS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=text_width,
        attention_head_dim=6,
    )
    for name, weight in unet.named_parameters():
        # Residual branches start small, the output at zero.
        if name.endswith(("conv2.weight", "proj_out.weight")):
            weight.data.mul_(0.1)
        if name.startswith("conv_out."):
            nn.init.zeros_(weight)
    return unet


def scheduler() -> DPMSolverMultistepScheduler:
    """The noise schedule, for training and for the pipeline."""
    return DPMSolverMultistepScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        steps_offset=1,
    )


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    hidden: torch.Tensor  # the captions, as the text encoder puts them
    noisy: torch.Tensor
    times: torch.Tensor
    wanted: torch.Tensor  # the v to predict


class Batches:
    """Captions with their latents, noised: drawn from (seed, step) alone."""

    def __init__(
        self,
        things: Sequence[Thing],
        tokenizer: CLIPTokenizer,
        text: CLIPTextModel,
        latents: torch.Tensor,
        seed: int,
    ) -> None:
        self.sampler = Sampler(things, seed)
        self.tokenizer, self.text, self.latents, self.seed = tokenizer, text, latents, seed
        alphas = scheduler().alphas_cumprod
        self.signal, self.noise = alphas.sqrt(), (1 - alphas).sqrt()

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        with torch.no_grad():
            rng = random.Random(f"denoiser {self.seed} {step}")
            drawn = [self.sampler.draw(rng) for _ in range(BATCH)]
            clean = torch.stack([self.latents[each.colour, each.thing] for each in drawn])
            generator = torch.Generator().manual_seed(rng.getrandbits(62))
            # One time in each of BATCH slices, so that every batch covers all of them.
            even = (torch.arange(BATCH) + torch.rand(BATCH, generator=generator)) / BATCH
            times = (len(self.signal) * even**EARLY).long().clamp(max=len(self.signal) - 1)
            noise = torch.randn(clean.shape, generator=generator)
            signal, grain = (each[times][:, None, None, None] for each in (self.signal, self.noise))
            tokens = text_encoder.tokens(self.tokenizer, [each.text for each in drawn])
            hidden = self.text(tokens).last_hidden_state
            return Batch(hidden, signal * clean + grain * noise, times, signal * noise - grain * clean)


class Learner:
    """The denoiser with what training it needs."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        self.unet = unet
        self.average = Average(unet)
        self.optimiser = torch.optim.AdamW(
            unet.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=1e-3, fused=True
        )

    def state(self, step: int) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "model": self.unet.state_dict(),
            "average": self.average.weights,
            "optimiser": self.optimiser.state_dict(),
            "step": step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.unet.load_state_dict(state["model"])
        self.average.weights, self.average.steps = state["average"], state["step"]
        self.optimiser.load_state_dict(state["optimiser"])

    def learn(self, batch: Batch, share: float) -> tuple[float, float]:
        """One step at a share of the full learning rate: the loss, and that of the noisiest third."""
        for group in self.optimiser.param_groups:
            group["lr"] = LEARNING_RATE * share
        with torch.autocast("cpu", torch.bfloat16):
            found = self.unet(batch.noisy, batch.times, batch.hidden).sample
        each = F.mse_loss(found.float(), batch.wanted, reduction="none").mean((1, 2, 3))
        loss = each.mean()
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.unet.parameters(), CLIP)
        self.optimiser.step()
        self.average.update(self.unet)
        return float(loss.detach()), float(each[batch.times > 667].mean().detach())


def train(batches: Batches, unet: UNet2DConditionModel, stage: Stage, steps: int) -> UNet2DConditionModel:
    """Trains `unet` and returns it with the averaged weights."""
    learner = Learner(unet)
    first = 0
    state = stage.load()
    if state:
        learner.restore(state)
        first = state["step"]
    losses: list[tuple[float, float]] = []
    for step in range(first, steps):
        losses.append(learner.learn(batches.at(step), rate(step, steps, flat=FLAT)))
        if (step + 1) % 100 == 0:
            every, noisy = (sum(column) / len(losses) for column in zip(*losses, strict=True))
            stage.log(step + 1, loss=every, noisy=noisy)
            losses.clear()
        if stage.due() or step + 1 == steps:
            stage.save(learner.state(step + 1))
    unet.load_state_dict(learner.average.weights)
    return unet
