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
from .bank import Bank
from .captions import Wordings
from .stage import Average, Stage, rate

WIDTHS = (96, 192)
BATCH = 16
LEARNING_RATE = 8e-4
FURTHER_RATE = 4e-4  # for weights that were trained before
EMPTY_SHARE = 0.1  # captions left out, for classifier-free guidance
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
    weights: torch.Tensor  # how much each counts


@dataclass(frozen=True)
class Method:
    """What the trials compare.

    Attributes:
        early: the power of evenly spread times in 0..1; below 1: more of the noisy ones.
        min_snr: the greatest signal-to-noise ratio that counts; 0: all times count alike.
    """

    early: float = EARLY
    min_snr: float = 0.0


PLAIN = Method()


class Batches:
    """Captions with their latents, noised: drawn from (seed, step) alone."""

    def __init__(
        self, bank: Bank, wordings: Wordings, reader: TextReader, seed: int, method: Method = PLAIN
    ) -> None:
        self.bank, self.wordings, self.reader, self.seed = bank, wordings, reader, seed
        self.method = method
        alphas = scheduler().alphas_cumprod
        self.signal, self.noise = alphas.sqrt(), (1 - alphas).sqrt()

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        rng = random.Random(f"denoiser {self.seed} {step}")
        drawn = [rng.randrange(len(self.bank)) for _ in range(BATCH)]
        texts = [self.wordings.caption(self.bank.scenes[each], rng) for each in drawn]
        texts = ["" if rng.random() < EMPTY_SHARE else each for each in texts]
        generator = torch.Generator().manual_seed(rng.getrandbits(62))
        # One time in each of BATCH slices, so that every batch covers all of them.
        even = (torch.arange(BATCH) + torch.rand(BATCH, generator=generator)) / BATCH
        times = (len(self.signal) * even**self.method.early).long().clamp(max=len(self.signal) - 1)
        return self.noised(self.bank.latents[drawn], texts, times, generator)

    def noised(
        self, clean: torch.Tensor, texts: Sequence[str], times: torch.Tensor, generator: torch.Generator
    ) -> Batch:
        """Latents at the given times, with what is to be predicted of them."""
        noise = torch.randn(clean.shape, generator=generator)
        signal, grain = (each[times][:, None, None, None] for each in (self.signal, self.noise))
        wanted = signal * noise - grain * clean
        return Batch(self.reader(texts), signal * clean + grain * noise, times, wanted, self.weights(times))

    def weights(self, times: torch.Tensor) -> torch.Tensor:
        """How much the loss at each time counts: alike, or "min-SNR" (Hang et al. 2023) for v-prediction."""
        if not self.method.min_snr:
            return torch.ones(len(times))
        ratio = (self.signal[times] / self.noise[times]) ** 2
        found: torch.Tensor = ratio.clamp(max=self.method.min_snr) / (ratio + 1)
        return found


class TextReader:
    """Captions as the text encoder, which is not trained here, puts them."""

    def __init__(self, tokenizer: CLIPTokenizer, text: CLIPTextModel) -> None:
        self.tokenizer, self.text = tokenizer, text

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Hidden states [n, tokens, width]."""
        with torch.no_grad():
            found: torch.Tensor = self.text(text_encoder.tokens(self.tokenizer, texts)).last_hidden_state
        return found


class Learner:
    """The denoiser with what training it needs."""

    def __init__(self, unet: UNet2DConditionModel, full_rate: float = LEARNING_RATE) -> None:
        self.unet, self.full_rate = unet, full_rate
        self.average = Average(unet)
        self.optimiser = torch.optim.AdamW(
            unet.parameters(), lr=full_rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True
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
            group["lr"] = self.full_rate * share
        with torch.autocast("cpu", torch.bfloat16):
            found = self.unet(batch.noisy, batch.times, batch.hidden).sample
        each = F.mse_loss(found.float(), batch.wanted, reduction="none").mean((1, 2, 3))
        loss = (each * batch.weights).mean()
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.unet.parameters(), CLIP)
        self.optimiser.step()
        self.average.update(self.unet)
        return float(each.mean().detach()), float(each[batch.times > 667].mean().detach())


def train(
    batches: Batches,
    unet: UNet2DConditionModel,
    stage: Stage,
    steps: int,
    *,
    full_rate: float = LEARNING_RATE,
) -> UNet2DConditionModel:
    """Trains `unet` and returns it with the averaged weights."""
    learner = Learner(unet, full_rate)
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
