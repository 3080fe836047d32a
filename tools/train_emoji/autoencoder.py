"""The autoencoder: stock AutoencoderTiny, 128 x 128 pixels to 8 x 8 latents and back.

Tricks: the two outer levels hold no blocks, so stem and head are linear and are trained as one fused
convolution each (a few percent of the time), then exactly, since the borders differ; initialisation as
in He et al. 2015 with each residual branch started small (Zhang et al. 2019, "Fixup"); values beyond
white and black cost nothing where the target is white or black, since the picture is clamped there.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderTiny
from torch import nn
from torch.nn import functional as F

from .glyphs import SIZE, Stencils
from .palette import COLOURS, WHITE
from .stage import Average, Stage, rate

LATENT_CHANNELS = 24
LEVELS = 5
LATENT_SIZE = SIZE >> (LEVELS - 1)
BATCH = 8
LEARNING_RATE = 7e-4
FURTHER_RATE = 5e-4  # for weights that were trained before
FLAT = 0.35
EXACT_EVERY = 8
EXACT_TAIL = 0.85  # the share of the steps after which every step is exact
NOISE = 0.1
CLIP = 0.5
CRISP = 0.3  # how much edges count that are as strong as they should be
WHITE_SHARE = 0.35
PALETTE_SHARE = 0.5  # the rest: any colour at all


def build(latent_channels: int = LATENT_CHANNELS, levels: int = LEVELS) -> AutoencoderTiny:
    """A fresh autoencoder. Each level but the outermost halves the size; the outer two hold no blocks."""
    vae = AutoencoderTiny(
        encoder_block_out_channels=(48,) * levels,
        decoder_block_out_channels=(64,) * levels,
        num_encoder_blocks=(0, 0) + (1,) * (levels - 2),
        num_decoder_blocks=(4,) * (levels - 3) + (3, 0, 0),
        latent_channels=latent_channels,
    )
    initialise(vae)
    return vae.to(memory_format=torch.channels_last)


def initialise(vae: AutoencoderTiny) -> None:
    """Gives every layer weights that neither fade nor blow up the signal."""
    for module in vae.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            # Followed by ReLU: gain 2; the convolutions outside the blocks feed linear paths: gain 1.
            nn.init.normal_(module.weight, std=fan_in**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in vae.modules():
        if type(module).__name__ == "AutoencoderTinyBlock":
            convolutions = [each for each in module.modules() if isinstance(each, nn.Conv2d)]
            for each in convolutions[:-1]:
                each.weight.data.mul_(2**0.5)
            convolutions[-1].weight.data.mul_(0.1)
    # Latents of unit size, and pictures of a usual contrast around gray, from the first step on
    # (as in Mishkin and Matas 2016, "All you need is a good init").
    with torch.no_grad():
        latents = encode(vae, torch.rand(8, 3, 1, 1).expand(-1, -1, SIZE, SIZE))
        vae.encoder.layers[-1].weight /= latents.std()
        last = vae.decoder.layers[-1]
        last.weight *= 0.2 / decode(vae, torch.randn(latents.shape)).std()
        last.bias.fill_(0.5)


class Fused:
    """Runs an AutoencoderTiny with stem and head as one convolution each; images are in 0..1.

    The same weights give the same picture except for the outermost pixels, where the fused convolution
    pads once and the stock modules pad at every layer.
    """

    def __init__(self, vae: AutoencoderTiny) -> None:
        encoder, decoder = list(vae.encoder.layers), list(vae.decoder.layers)
        self.stem, self.encoder_rest = encoder[:3], nn.Sequential(*encoder[3:])
        self.head, self.decoder_rest = nn.Sequential(*decoder[-5:]), nn.Sequential(*decoder[:-5])
        if [type(each) for each in self.head] != [nn.Upsample, nn.Conv2d, nn.Upsample, nn.Conv2d, nn.Conv2d]:
            raise ValueError("the two outer decoder levels must hold no blocks")

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """As the stock encoder, up to the border."""
        first, second, third = self.stem
        kernel = F.conv_transpose2d(third.weight, second.weight, stride=2)
        kernel = F.conv_transpose2d(kernel, first.weight)
        bias = third.weight.sum((2, 3)) @ (second.weight.sum((2, 3)) @ first.bias)
        hidden = F.conv2d(images, kernel, bias, stride=4, padding=4)
        latents: torch.Tensor = self.encoder_rest(hidden)
        return latents

    def head_kernel(self) -> torch.Tensor:
        """The head's answer to one lit cell, cut into the nine cells around it."""
        channels = self.head[1].weight.shape[1]
        lit = torch.zeros(channels, channels, 3, 3)
        lit[torch.arange(channels), torch.arange(channels), 1, 1] = 1
        answer = self.head(lit) - self.head[-1].bias[:, None, None]
        cells = answer.view(channels, 3, 3, 4, 3, 4).flip(2, 4)
        return cells.permute(1, 3, 5, 0, 2, 4).reshape(48, channels, 3, 3)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """As the stock decoder, up to the border."""
        hidden = self.decoder_rest(torch.tanh(latents / 3) * 3)
        bias = self.head[-1].bias.repeat_interleave(16)
        return F.pixel_shuffle(F.conv2d(hidden, self.head_kernel(), bias, padding=1), 4)


def encode(vae: AutoencoderTiny, images: torch.Tensor) -> torch.Tensor:
    """Images in 0..1 to latents, through the stock modules."""
    latents: torch.Tensor = vae.encoder(images * 2 - 1)
    return latents


def decode(vae: AutoencoderTiny, latents: torch.Tensor) -> torch.Tensor:
    """Latents to images in 0..1, through the stock modules."""
    images: torch.Tensor = vae.decoder(latents)
    return (images + 1) / 2


def colours(count: int, rng: random.Random) -> torch.Tensor:
    """Backgrounds [count, 3] to train on."""
    rows = []
    for _ in range(count):
        at = rng.random()
        if at < WHITE_SHARE:
            rows.append(COLOURS[WHITE][1])
        elif at < WHITE_SHARE + PALETTE_SHARE:
            rows.append(rng.choice(COLOURS)[1])
        else:
            rows.append((rng.randrange(256), rng.randrange(256), rng.randrange(256)))
    return torch.tensor(rows) / 255


def picture_loss(found: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and its plain mean absolute error."""
    found = found.float()
    found = torch.where((wanted >= 1) & (found > 1), wanted, found)
    found = torch.where((wanted <= 0) & (found < 0), wanted, found)
    off = found - wanted
    across = (off[..., 1:] - off[..., :-1]).abs().mean()
    down = (off[..., 1:, :] - off[..., :-1, :]).abs().mean()
    absolute = off.abs().mean()
    soft = (edges(found) - edges(wanted)).abs().mean()
    return absolute + 2 * off.square().mean() + 0.5 * (across + down) + CRISP * soft, absolute


def edges(images: torch.Tensor) -> torch.Tensor:
    """How strong the edges around each place are, wherever exactly they run.

    A mean of pictures whose edges differ by a pixel is near to each of them pixel by pixel; but it is soft,
    and here it is far.
    """
    across = (images[..., :-1, 1:] - images[..., :-1, :-1]).square()
    down = (images[..., 1:, :-1] - images[..., :-1, :-1]).square()
    return (F.avg_pool2d((across + down).sum(1, keepdim=True), 5, stride=2) + 1e-3).sqrt()


def psnr(vae: AutoencoderTiny, images: torch.Tensor) -> torch.Tensor:
    """PSNR in dB of each of the images [n, 3, SIZE, SIZE] in 0..1, through the stock modules."""
    squares = []
    with torch.no_grad():
        for wanted in images.split(16):
            found = decode(vae, encode(vae, wanted)).clamp(0, 1)
            squares.append((found - wanted).square().mean((1, 2, 3)))
    return -10 * torch.cat(squares).clamp_min(1e-9).log10()


def measure(vae: AutoencoderTiny, stencils: Stencils) -> float:
    """The mean PSNR of every thing on white and on one other colour."""
    things = torch.arange(len(stencils))
    palette = torch.tensor([paint for _, paint in COLOURS]) / 255
    grounds = (torch.full_like(things, WHITE), things % (len(COLOURS) - 1) + 1)
    return float(torch.cat([psnr(vae, stencils.over(things, palette[each])) for each in grounds]).mean())


def standardise(vae: AutoencoderTiny, latents: torch.Tensor) -> None:
    """Folds mean 0 and deviation 1 per channel of `latents` [n, channels, h, w] into the weights.

    The decoder's soft clamp and padding make this inexact there; its own stage makes up for that.
    """
    with torch.no_grad():
        mean = latents.mean((0, 2, 3))
        deviation = latents.std((0, 2, 3))
        last, first = vae.encoder.layers[-1], vae.decoder.layers[0]
        last.weight /= deviation[:, None, None, None]
        last.bias.copy_((last.bias - mean) / deviation)
        first.bias += (first.weight.sum((2, 3)) * mean).sum(1)
        first.weight *= deviation[None, :, None, None]


@dataclass
class Example:
    """Images to learn from and, once the encoder is settled, their latents."""

    images: torch.Tensor
    latents: torch.Tensor | None = None


Source = Callable[[random.Random], Example]


def train(
    vae: AutoencoderTiny,
    stencils: Stencils,
    source: Source,
    stage: Stage,
    steps: int,
    seed: int,
    *,
    full_rate: float = LEARNING_RATE,
) -> AutoencoderTiny:
    """Trains the whole or, when the encoder's weights ask for no gradient, the decoder alone."""
    average = Average(vae)
    learnt = [weight for weight in vae.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=full_rate, betas=(0.9, 0.98), weight_decay=1e-4)
    first = 0
    state = stage.load()
    if state:
        vae.load_state_dict(state["model"])
        average.weights, average.steps = state["average"], state["step"]
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    recent: list[float] = []
    for step in range(first, steps):
        for group in optimiser.param_groups:
            group["lr"] = full_rate * rate(step, steps, flat=FLAT)
        rng = random.Random(f"{stage.name} {seed} {step}")
        exact = step > EXACT_TAIL * steps or step % EXACT_EVERY == 0
        recent.append(train_step(vae, optimiser, source(rng), rng, exact))
        average.update(vae)
        if (step + 1) % 200 == 0:
            stage.log(step + 1, error=sum(recent) / len(recent))
            recent.clear()
        if stage.due() or step + 1 == steps:
            stage.save(snapshot(vae, average, optimiser, step + 1))
    vae.load_state_dict(average.weights)
    stage.log(steps, psnr=measure(vae, stencils))
    return vae


def snapshot(vae: nn.Module, average: Average, optimiser: torch.optim.Optimizer, step: int) -> dict[str, Any]:
    """What a checkpoint keeps."""
    return {
        "model": vae.state_dict(),
        "average": average.weights,
        "optimiser": optimiser.state_dict(),
        "step": step,
    }


def train_step(
    vae: AutoencoderTiny, optimiser: torch.optim.Optimizer, example: Example, rng: random.Random, exact: bool
) -> float:
    """One step; returns the mean absolute error."""
    noise = torch.Generator().manual_seed(rng.getrandbits(62))
    with torch.autocast("cpu", torch.bfloat16):
        fused = Fused(vae)
        latents = example.latents
        if latents is None:
            latents = encode(vae, example.images) if exact else fused.encode(example.images)
        noisy = latents + NOISE * torch.randn(latents.shape, generator=noise)
        found = decode(vae, noisy) if exact else fused.decode(noisy)
    loss, absolute = picture_loss(found, example.images)
    loss = loss + 2e-3 * latents.float().square().mean()
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(vae.parameters(), CLIP)
    optimiser.step()
    return float(absolute.detach())
