"""The denoiser: a small UNet2DConditionModel over the latents, told by the text encoder what to draw.

v-prediction (Salimans and Ho 2022) with a zero terminal signal and trailing steps (Lin et al. 2024,
"Common diffusion noise schedules and sample steps are flawed"), so that the background colour is
decided by the caption and not by the noise; captions are dropped at times for classifier-free guidance
(Ho and Salimans 2022).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

from . import text_encoder
from .autoencoder import LATENT_SIZE
from .bank import Bank
from .captions import Wordings
from .noising import TIMES, V_PREDICTION, Noising
from .stage import Average, Stage, rate

WIDTHS = (96, 192)
BATCH = 16
LEARNING_RATE = 8e-4
FURTHER_RATE = 4e-4  # for weights that were trained before
EMPTY_SHARE = 0.1  # captions left out, for classifier-free guidance
FLAT = 0.45
CLIP = 1.0
EARLY = 0.7  # below 1: more of the noisy times, where the picture is decided


def build(latent_channels: int, text_width: int, latent_size: int = LATENT_SIZE) -> UNet2DConditionModel:
    """A fresh denoiser."""
    unet = UNet2DConditionModel(
        sample_size=latent_size,
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


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    hidden: torch.Tensor  # the captions, as the text encoder puts them
    noisy: torch.Tensor
    times: torch.Tensor
    wanted: torch.Tensor  # what to predict
    weights: torch.Tensor  # how much each counts


class Optimiser(Protocol):
    """What a learner needs of PyTorch's optimisers."""

    param_groups: list[dict[str, Any]]

    def step(self) -> object:
        """One step by the gradients there are."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Goes on from a checkpoint."""


def adamw(unet: UNet2DConditionModel, rate: float) -> Optimiser:
    """The usual optimiser."""
    found: Optimiser = torch.optim.AdamW(
        unet.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True
    )
    return found


def early(even: torch.Tensor) -> torch.Tensor:
    """Evenly spread numbers of 0..1 with more of the high ones, the noisy times."""
    return even**EARLY


@dataclass(frozen=True)
class Method:
    """What the trials compare.

    Attributes:
        noising: what noise does, and what is predicted.
        times: takes evenly spread numbers of 0..1 to where training needs them.
        min_snr: the greatest signal-to-noise ratio that counts; 0: all times count alike. For v-prediction.
        batch: latents a step.
        optimiser: of the weights, at a rate.
    """

    noising: Noising = V_PREDICTION
    times: Callable[[torch.Tensor], torch.Tensor] = early
    min_snr: float = 0.0
    batch: int = BATCH
    optimiser: Callable[[UNet2DConditionModel, float], Optimiser] = adamw


PLAIN = Method()


class Batches:
    """Captions with their latents, noised: drawn from (seed, step) alone."""

    def __init__(
        self, bank: Bank, wordings: Wordings, reader: TextReader, seed: int, method: Method = PLAIN
    ) -> None:
        self.bank, self.wordings, self.reader, self.seed = bank, wordings, reader, seed
        self.method = method

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        rng = random.Random(f"denoiser {self.seed} {step}")
        count = self.method.batch
        drawn = [rng.randrange(len(self.bank)) for _ in range(count)]
        texts = [self.wordings.caption(self.bank.scenes[each], rng) for each in drawn]
        texts = ["" if rng.random() < EMPTY_SHARE else each for each in texts]
        generator = torch.Generator().manual_seed(rng.getrandbits(62))
        # One time in each of as many slices, so that every batch covers all of them.
        even = (torch.arange(count) + torch.rand(count, generator=generator)) / count
        times = (TIMES * self.method.times(even)).long().clamp(max=TIMES - 1)
        return self.noised(self.bank.latents[drawn], texts, times, generator)

    def noised(
        self, clean: torch.Tensor, texts: Sequence[str], times: torch.Tensor, generator: torch.Generator
    ) -> Batch:
        """Latents at the given times, with what is to be predicted of them."""
        grain = torch.randn(clean.shape, generator=generator)
        noisy, wanted = self.method.noising.mix(clean, grain, times)
        return Batch(self.reader(texts), noisy, times, wanted, self.weights(times))

    def weights(self, times: torch.Tensor) -> torch.Tensor:
        """How much the loss at each time counts: alike, or "min-SNR" (Hang et al. 2023) for v-prediction."""
        if not self.method.min_snr:
            return torch.ones(len(times))
        ratio = self.method.noising.ratio(times)
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

    def __init__(
        self, unet: UNet2DConditionModel, full_rate: float = LEARNING_RATE, method: Method = PLAIN
    ) -> None:
        self.unet, self.full_rate = unet, full_rate
        self.average = Average(unet)
        self.optimiser = method.optimiser(unet, full_rate)

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
        self.unet.zero_grad(set_to_none=True)
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
