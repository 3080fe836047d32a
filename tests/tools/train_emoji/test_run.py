"""A training of two steps a stage: a whole one from nothing, and from what it made the later stages."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from tools.train_emoji import cldr, glyphs
from tools.train_emoji.run import STAGES, Run
from tools.train_emoji.vocabulary import Thing

STEPS = {
    "autoencoder": 2,
    "text": 2,
    "words": 2,
    "bank": 8,
    "denoiser": 2,
    "decoder": 2,
    "drawn": 4,
    "finish": 2,
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(not glyphs.FONT.exists(), reason="needs Noto Color Emoji"),
]


def trained(
    out: Path, things: tuple[Thing, ...], start: Path | None = None, stages: tuple[str, ...] = STAGES
) -> Run:
    run = Run(out, out / "model", start, glyphs.FONT, cldr.ANNOTATIONS, seed=0, resume=False, steps=STEPS)
    run.things = things
    out.mkdir()
    for stage in stages:
        getattr(run, stage)()
    return run


def test_every_stage_runs_from_nothing_and_the_later_ones_again_from_the_model_it_wrote(
    tmp_path: Path, things: tuple[Thing, ...]
) -> None:
    few = (*things[:2], Thing("🚗", ("car",)))
    first = trained(tmp_path / "first", few)
    more = (*few, Thing("🐢", ("turtle", "terrapin")))
    second = trained(tmp_path / "second", more, first.model, STAGES[STAGES.index("words") :])
    assert len(second.tokenizer) > len(first.tokenizer)
    pipeline = DiffusionPipeline.from_pretrained(second.model)
    pipeline.set_progress_bar_config(disable=True)
    assert {part.dtype for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder)} == {torch.float32}
    image = pipeline("dog", num_inference_steps=2, generator=torch.Generator().manual_seed(0)).images[0]
    assert image.size == (128, 128)
    assert (second.model / "words.txt").read_text().splitlines()[-1] == "turtle, terrapin, 🐢"


def test_a_stage_whose_forerunner_is_missing_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path, tmp_path / "model", None, glyphs.FONT, cldr.ANNOTATIONS, 0, resume=True, steps=STEPS)
    with pytest.raises(SystemExit, match="no checkpoint of the stage bank"):
        run.finished("bank")
