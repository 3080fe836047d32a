"""Trials: the denoiser from nothing in one way or over latents of one shape, for a while, then measured."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel

from tools.eval_emoji.naming import Namer
from tools.train_emoji import denoiser, export, split, text_encoder
from tools.train_emoji.bank import Bank
from tools.train_emoji.denoiser import PLAIN, Batches, Method, TextReader
from tools.train_emoji.run import Run
from tools.train_emoji.stage import rate

from . import latents
from .clock import shares
from .exam import Drawing, clean_errors
from .methods import METHODS

NAMES = (*METHODS, *latents.SHAPES)
KEPT = 20  # one latent in so many, the last of the bank, is measured on and not trained on
DECAY = 0.99  # of the average: a short run
FLAT, WARM = 0.4, 20


@dataclass
class Trials:
    """What all trials share.

    Attributes:
        run: its text encoder and bank are taken as they are.
        seconds: of training, each.
        pictures: how many are drawn in the end.
        seed: of weights and batches.
    """

    run: Run
    seconds: float
    pictures: int = 130
    seed: int = 0
    drawing: Drawing = field(init=False)

    def __post_init__(self) -> None:
        run = self.run
        captions = split.held_out(run.things, run.pictures.looks, run.seed)
        random.Random(run.seed).shuffle(captions)
        self.drawing = Drawing(captions[: self.pictures], Namer(run.pictures))

    def figures(self, name: str) -> dict[str, float]:
        """How many steps a trial took, and what the averaged weights are worth."""
        if name in METHODS:
            return self.method(METHODS[name])
        return self.shape(*latents.SHAPES[name])

    def method(self, method: Method) -> dict[str, float]:
        """Of a way to train, over the latents of the run."""
        self.run.bank()
        bank = Bank.of(self.run.finished("bank"))
        count = len(bank) // KEPT
        batches = self.batches(part(bank, slice(-count)), method)
        unet, steps = self.learnt(batches)
        batches.bank = part(bank, slice(-count, None))
        drawn = self.drawn(unet, self.run.settled_autoencoder(), method)
        return {"steps": steps} | clean_errors(unet, batches) | drawn

    def shape(self, channels: int, levels: int) -> dict[str, float]:
        """Of latents of another shape, their autoencoder trained for as long before."""
        vae, figures = latents.trained(self.run, channels, levels, self.seconds)
        unet, steps = self.learnt(self.batches(latents.encoded(self.run, vae), PLAIN))
        return {"steps": steps} | figures | self.drawn(unet, vae, PLAIN)

    def batches(self, bank: Bank, method: Method) -> Batches:
        """What there is to learn."""
        reader = TextReader(self.run.tokenizer, self.run.text_model())
        return Batches(bank, self.run.sampler.wordings, reader, self.seed, method)

    def learnt(self, batches: Batches) -> tuple[UNet2DConditionModel, int]:
        """A denoiser, and the steps it took."""
        torch.manual_seed(self.seed)
        channels, size = batches.bank.latents.shape[1:3]
        unet = denoiser.build(channels, text_encoder.WIDTH, size)
        learner = denoiser.Learner(unet, method=batches.method)
        learner.average.decay = DECAY
        steps = 0
        for share in shares(self.seconds):
            learner.learn(batches.at(steps), rate(int(1000 * share), 1000, flat=FLAT, warm=WARM))
            steps += 1
        unet.load_state_dict(learner.average.weights)
        return unet, steps

    def drawn(self, unet: UNet2DConditionModel, vae: AutoencoderTiny, method: Method) -> dict[str, float]:
        """What its pictures are worth."""
        pipeline = export.assemble(vae, unet, self.run.text_model(), self.run.tokenizer)
        return self.drawing.figures(pipeline, method.noising)


def part(bank: Bank, which: slice) -> Bank:
    """Some of a bank."""
    return Bank(bank.scenes[which], bank.poses[which], bank.latents[which])
