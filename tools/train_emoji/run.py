"""One training run: its stages, each made from the checkpoints of those before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from . import (
    autoencoder,
    cldr,
    denoiser,
    drawn,
    examples,
    export,
    glyphs,
    lessons,
    looks,
    near,
    split,
    text_encoder,
    tokenizer,
    vocabulary,
)
from . import bank as banks
from .autoencoder import Source
from .bank import Bank
from .pictures import Pictures
from .stage import Stage

STAGES = ("autoencoder", "text", "words", "bank", "decoder", "denoiser", "drawn", "finish", "export")

# A "little" dog is mostly a dear one.
UNLEARNT = ("little",)


@dataclass
class Run:
    """Stages with what they need.

    Attributes:
        out: where checkpoints and the curve lie.
        model: where the pipeline goes.
        start: a pipeline to go on from; without one everything starts from nothing.
        steps: by stage; of `bank` and `drawn` the number of latents.
    """

    out: Path
    model: Path
    start: Path | None
    font: Path
    annotations: Path
    seed: int
    resume: bool
    steps: dict[str, int]

    @cached_property
    def things(self) -> tuple[vocabulary.Thing, ...]:
        """What it learns to draw, with the words of the table and of CLDR."""
        return cldr.extend(vocabulary.load(), cldr.read(self.annotations))

    @cached_property
    def pictures(self) -> Pictures:
        """How the things look."""
        return Pictures(self.things, looks.load(self.things), self.font)

    @cached_property
    def sampler(self) -> split.Sampler:
        """What of it training may show."""
        return split.Sampler(self.things, self.pictures.looks, self.seed)

    @cached_property
    def lessons(self) -> lessons.Lessons:
        """What the text encoder learns from."""
        return lessons.Lessons(self.sampler, near.load(self.things))

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """The tokenizer; the same one whenever it is asked for."""
        if self.start is None:
            return tokenizer.build(self.sampler, self.seed)
        old = CLIPTokenizer.from_pretrained(self.start / "tokenizer")
        words = [word for thing in self.things for word in thing.words]
        distant = [word for own in near.load(self.things) for word in own]
        plurals = tokenizer.singulars(self.things)
        return tokenizer.extend(
            old, [*words, *plurals, *distant, *tokenizer.captions(self.sampler, self.seed)]
        )

    def stage(self, name: str, *, resume: bool = True) -> Stage:
        """The checkpoint and curve of one stage."""
        return Stage(name, self.out, resume)

    def finished(self, name: str) -> dict[str, Any]:
        """The last checkpoint of a stage that must have been trained."""
        state = self.stage(name).load()
        if state is None:
            raise SystemExit(f"no checkpoint of the stage {name} in {self.out}: train it first")
        return state

    def goes_on_without(self, name: str) -> bool:
        """Whether a stage was left out, so that what `start` has of it stays as it is."""
        return self.start is not None and not self.stage(name).path.exists()

    def first_autoencoder(self) -> AutoencoderTiny:
        """The autoencoder to begin with."""
        if self.start is None:
            torch.manual_seed(self.seed)
            return autoencoder.build()
        found = AutoencoderTiny.from_pretrained(self.start / "vae").float()
        return found.to(memory_format=torch.channels_last)

    def settled_autoencoder(self) -> AutoencoderTiny:
        """The trained autoencoder, its latents of mean 0 and deviation 1."""
        vae = self.first_autoencoder()
        if self.goes_on_without("autoencoder"):
            return vae
        vae.load_state_dict(self.finished("autoencoder")["average"])
        autoencoder.standardise(vae, examples.latents(vae, self.pictures, self.seed))
        return vae

    def first_text_model(self) -> CLIPTextModel:
        """The text encoder to begin with."""
        if self.start is None:
            return text_encoder.build(self.tokenizer)
        return text_encoder.grow(CLIPTextModel.from_pretrained(self.start / "text_encoder"), self.tokenizer)

    def text_model(self, last: str = "words") -> CLIPTextModel:
        """The trained text encoder, as the stage `last` left it."""
        name = last if self.stage(last).path.exists() else "text"
        if self.goes_on_without(name):
            return self.first_text_model().eval()
        model = text_encoder.build(self.tokenizer)
        model.load_state_dict(self.finished(name)["model"])
        return model.eval()

    def first_denoiser(self) -> UNet2DConditionModel:
        """The denoiser to begin with."""
        if self.start is None:
            torch.manual_seed(self.seed)
            return denoiser.build(autoencoder.LATENT_CHANNELS, text_encoder.WIDTH)
        return UNet2DConditionModel.from_pretrained(self.start / "unet").float()

    def pipeline(self, decoder: str) -> StableDiffusionPipeline:
        """The whole model from the last checkpoints, finished or not, with the decoder of one stage."""
        vae = self.settled_autoencoder()
        if decoder != "autoencoder":
            vae.load_state_dict(self.finished(decoder)["average"])
        unet = self.first_denoiser()
        unet.load_state_dict(self.finished("denoiser")["average"])
        text = self.text_model()
        text_encoder.forget(text, self.tokenizer, UNLEARNT)
        return export.assemble(vae, unet, text, self.tokenizer)

    def batches(self) -> denoiser.Batches:
        """What the denoiser learns from."""
        reader = denoiser.TextReader(self.tokenizer, self.text_model())
        bank = Bank.of(self.finished("bank"))
        return denoiser.Batches(bank, self.sampler.wordings, reader, self.seed)

    # ---- the stages ----

    def autoencoder(self) -> None:
        """Trains the autoencoder."""
        self.train_pictures(self.first_autoencoder(), examples.posed(self.pictures), "autoencoder")

    def train_pictures(self, vae: AutoencoderTiny, source: Source, name: str) -> None:
        """Trains what of `vae` is to be trained."""
        stage = self.stage(name, resume=self.resume)
        full = autoencoder.LEARNING_RATE if self.start is None else autoencoder.FURTHER_RATE
        stencils = glyphs.render(self.things, self.font)
        autoencoder.train(vae, stencils, source, stage, self.steps[name], self.seed, full_rate=full)

    def text(self) -> None:
        """Trains the text encoder."""
        stage = self.stage("text", resume=self.resume)
        model = self.first_text_model()
        text_encoder.train(model, self.tokenizer, self.lessons, stage, self.steps["text"], self.seed)

    def words(self) -> None:
        """Teaches the text encoder of `start` words that were fillers to it.

        One that began with nothing knows them all.
        """
        if self.start is None or (self.resume and self.stage("words").path.exists()):
            return
        stage, steps = self.stage("words", resume=self.resume), self.steps["words"]
        text_encoder.learn_words(
            self.text_model("text"), self.tokenizer, self.lessons, stage, steps, self.seed
        )

    def bank(self) -> None:
        """Draws and encodes what the denoiser is to make."""
        if self.resume and self.stage("bank").path.exists():
            return
        vae = self.settled_autoencoder()
        banks.build(vae, self.pictures, self.sampler, self.stage("bank"), self.steps["bank"], self.seed)

    def denoiser(self) -> None:
        """Trains the denoiser on the latents of the bank."""
        full = denoiser.LEARNING_RATE if self.start is None else denoiser.FURTHER_RATE
        stage = self.stage("denoiser", resume=self.resume)
        unet = self.first_denoiser()
        denoiser.train(self.batches(), unet, stage, self.steps["denoiser"], full_rate=full)

    def drawn(self) -> None:
        """Has the denoiser finish noised latents of the bank, for the decoder to learn its slips from."""
        found = drawn.redraw(
            self.pipeline("autoencoder"),
            Bank.of(self.finished("bank")),
            self.sampler.wordings,
            self.steps["drawn"],
            self.seed,
        )
        stage = self.stage("drawn")
        stage.log(len(found), kept=len(found))
        stage.save(found.state())

    def decoder(self) -> None:
        """Trains the decoder alone, on latents that the denoiser learns to make."""
        vae = self.settled_autoencoder()
        vae.encoder.requires_grad_(False)
        source = examples.settled(self.pictures, [Bank.of(self.finished("bank"))])
        self.train_pictures(vae, source, "decoder")

    def finish(self) -> None:
        """Trains the decoder alone, half on latents of the encoder and half on the denoiser's."""
        vae = self.settled_autoencoder()
        vae.load_state_dict(self.finished("decoder")["average"])
        vae.encoder.requires_grad_(False)
        both = [Bank.of(self.finished(name)) for name in ("bank", "drawn")]
        self.train_pictures(vae, examples.settled(self.pictures, both), "finish")

    def export(self) -> None:
        """Writes the pipeline, with the best decoder there is."""
        made = (name for name in ("finish", "decoder") if self.stage(name).path.exists())
        last = next(made, "autoencoder")
        export.save(self.model, self.pipeline(last), self.things)
