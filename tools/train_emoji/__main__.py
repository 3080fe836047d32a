"""The command line: trains the model stage by stage, or measures one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from transformers import CLIPTextModel, CLIPTokenizer

from . import autoencoder, denoiser, drawn, evaluate, export, glyphs, text_encoder, tokenizer, vocabulary
from .autoencoder import Source
from .stage import Stage

STAGES = ("autoencoder", "text", "denoiser", "decoder", "drawn", "finish", "export", "evaluate")
TRAINED = ("autoencoder", "text", "denoiser", "decoder", "finish")


@dataclass
class Run:
    """One training run; every part it needs is made from the checkpoints in `out`."""

    out: Path
    model: Path
    font: Path
    seed: int
    resume: bool
    steps: dict[str, int]
    things: tuple[vocabulary.Thing, ...] = field(default_factory=vocabulary.load)

    def stage(self, name: str, *, resume: bool = True) -> Stage:
        """The checkpoint and curve of one stage."""
        return Stage(name, self.out, resume)

    @cached_property
    def stencils(self) -> glyphs.Stencils:
        """The pictures of the things."""
        return glyphs.render(self.things, self.font)

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """The tokenizer; the same one whenever it is asked for."""
        return tokenizer.build(self.things, self.seed)

    @cached_property
    def standard(self) -> tuple[AutoencoderTiny, torch.Tensor]:
        """The trained autoencoder with standardised latents, and those of every picture."""
        vae = autoencoder.build()
        trained = self.finished("autoencoder")
        vae.load_state_dict(trained["average"])
        stage = self.stage("latents", resume=self.resume)
        kept = stage.load()
        if kept is None or kept["step"] != trained["step"]:
            kept = {"latents": autoencoder.all_latents(vae, self.stencils), "step": trained["step"]}
            stage.save(kept)
        return vae, autoencoder.standardise(vae, kept["latents"])

    def finished(self, name: str) -> dict[str, Any]:
        """The last checkpoint of a stage that must have been trained."""
        state = self.stage(name).load()
        if state is None:
            raise SystemExit(f"no checkpoint of the stage {name} in {self.out}: train it first")
        return state

    def text_model(self) -> CLIPTextModel:
        """The trained text encoder."""
        model = text_encoder.build(self.tokenizer)
        model.load_state_dict(self.finished("text")["model"])
        return model

    def autoencoder(self) -> None:
        """Trains the autoencoder."""
        torch.manual_seed(self.seed)
        self.train_pictures(autoencoder.build(), autoencoder.anything(self.stencils), "autoencoder")

    def train_pictures(self, vae: AutoencoderTiny, source: Source, name: str) -> None:
        """Trains what of `vae` is to be trained."""
        stage = self.stage(name, resume=self.resume)
        autoencoder.train(vae, self.stencils, source, stage, self.steps[name], self.seed)

    def text(self) -> None:
        """Trains the text encoder."""
        stage = self.stage("text", resume=self.resume)
        text_encoder.pretrain(self.things, self.tokenizer, stage, self.steps["text"], self.seed)

    def denoiser(self) -> None:
        """Trains the denoiser on the standardised latents."""
        _, latents = self.standard
        torch.manual_seed(self.seed)
        unet = denoiser.build(autoencoder.LATENT_CHANNELS, text_encoder.WIDTH)
        batches = denoiser.Batches(self.things, self.tokenizer, self.text_model(), latents, self.seed)
        denoiser.train(batches, unet, self.stage("denoiser", resume=self.resume), self.steps["denoiser"])

    def decoder(self) -> None:
        """Trains the decoder further, on the latents the denoiser learns to make."""
        vae, latents = self.standard
        vae.encoder.requires_grad_(False)
        source = autoencoder.settled(self.stencils, autoencoder.Made.by_encoder(latents))
        self.train_pictures(vae, source, "decoder")

    def drawn(self) -> None:
        """Draws with the denoiser what the decoder is to be finished on."""
        _, latents = self.standard
        found = drawn.draw(self.pipeline("decoder"), self.things, latents, self.seed)
        stage = self.stage("drawn")
        stage.log(len(found.things), drawn=len(found.things))
        stage.save({"latents": found.latents, "things": found.things, "colours": found.colours})

    def finish(self) -> None:
        """Trains the decoder on latents of the encoder and of the denoiser, half and half."""
        vae, latents = self.standard
        vae.load_state_dict(self.finished("decoder")["average"])
        vae.encoder.requires_grad_(False)
        kept = self.finished("drawn")
        slips = autoencoder.Made(kept["latents"], kept["things"], kept["colours"])
        source = autoencoder.settled(self.stencils, autoencoder.Made.by_encoder(latents), slips)
        self.train_pictures(vae, source, "finish")

    def pipeline(self, decoder: str) -> StableDiffusionPipeline:
        """The whole model from the last checkpoints, finished or not, with the decoder of one stage."""
        vae, _ = self.standard
        vae.load_state_dict(self.finished(decoder)["average"])
        unet = denoiser.build(autoencoder.LATENT_CHANNELS, text_encoder.WIDTH)
        unet.load_state_dict(self.finished("denoiser")["average"])
        return export.assemble(vae, unet, self.text_model(), self.tokenizer)

    def export(self) -> None:
        """Writes the pipeline."""
        last = "finish" if self.stage("finish").path.exists() else "decoder"
        export.save(self.model, self.pipeline(last), self.things)

    def evaluate(self) -> None:
        """Measures what was exported."""
        found = evaluate.evaluate(self.model, self.model / "sheet.png", self.things, self.stencils, self.seed)
        print(json.dumps(found, indent=2))


def parser() -> argparse.ArgumentParser:
    """The options of the training command."""
    found = argparse.ArgumentParser(prog="python -m tools.train_emoji", description=__doc__)
    found.add_argument("--out", type=Path, default=Path("build/emoji"), help="checkpoints and the curve")
    found.add_argument("--model", type=Path, help="where the pipeline goes; default: OUT/model")
    found.add_argument("--resume", action="store_true", help="go on from the checkpoints in OUT")
    found.add_argument("--stages", default=",".join(STAGES), help="which stages, separated by commas")
    found.add_argument("--steps-autoencoder", type=int, default=2900)
    found.add_argument("--steps-text", type=int, default=200)
    found.add_argument("--steps-denoiser", type=int, default=10500)
    found.add_argument("--steps-decoder", type=int, default=3800)
    found.add_argument("--steps-finish", type=int, default=1200)
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--threads", type=int, default=0, help="default: as many as PyTorch likes")
    found.add_argument("--font", type=Path, default=glyphs.FONT)
    return found


def evaluate_command(arguments: Sequence[str]) -> None:
    """`evaluate MODEL_DIR`."""
    found = argparse.ArgumentParser(prog="python -m tools.train_emoji evaluate", description=evaluate.__doc__)
    found.add_argument("model", type=Path)
    found.add_argument("--sheet", type=Path, help="where the contact sheet goes; default: MODEL/sheet.png")
    found.add_argument("--steps", type=int, default=evaluate.STEPS)
    found.add_argument("--guidance", type=float, default=evaluate.GUIDANCE)
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--font", type=Path, default=glyphs.FONT)
    chosen = found.parse_args(arguments)
    things = vocabulary.load()
    stencils = glyphs.render(things, chosen.font)
    sheet = chosen.sheet or chosen.model / "sheet.png"
    metrics = evaluate.evaluate(
        chosen.model, sheet, things, stencils, chosen.seed, steps=chosen.steps, guidance=chosen.guidance
    )
    print(json.dumps(metrics, indent=2))


def main(arguments: Sequence[str]) -> None:
    """Runs the stages that were asked for, in order."""
    if arguments[:1] == ["evaluate"]:
        evaluate_command(arguments[1:])
        return
    chosen = parser().parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)  # numbers too small to matter are slow
    chosen.out.mkdir(parents=True, exist_ok=True)
    stages = chosen.stages.split(",")
    unknown = set(stages) - set(STAGES)
    if unknown:
        raise SystemExit(f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    steps = {name: getattr(chosen, f"steps_{name}") for name in TRAINED}
    model = chosen.model or chosen.out / "model"
    run = Run(chosen.out, model, chosen.font, chosen.seed, chosen.resume, steps)
    for name in stages:
        getattr(run, name)()


if __name__ == "__main__":
    main(sys.argv[1:])
