"""Writes the trained parts as a StableDiffusionPipeline in diffusers' own layout, in half precision."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from . import near
from .noising import v_scheduler
from .vocabulary import Thing

Part = TypeVar("Part", bound=torch.nn.Module)


def half(part: Part) -> Part:
    """A copy in half precision."""
    copied: Part = copy.deepcopy(part).to(torch.float16)
    return copied


def edit(path: Path, drop: Sequence[str] = (), **values: Any) -> None:
    """Changes keys of a JSON file."""
    config = json.loads(path.read_text("utf-8"))
    for key in drop:
        config.pop(key, None)
    path.write_text(json.dumps(config | values, indent=2, sort_keys=True) + "\n", "utf-8")


def write_words(things: Sequence[Thing], folder: Path) -> None:
    """One thing a line, its usual name first, its emoji last; and the words that it may stand for."""
    names = "".join(f"{', '.join((*thing.words, thing.glyph))}\n" for thing in things)
    pairs = zip(things, near.load(things), strict=True)
    (folder / "words.txt").write_text(names, "utf-8")
    (folder / "near.txt").write_text(
        "".join(f"{thing.name}: {', '.join(words)}\n" for thing, words in pairs if words), "utf-8"
    )


def assemble(
    vae: AutoencoderTiny, unet: UNet2DConditionModel, text: CLIPTextModel, tokenizer: CLIPTokenizer
) -> StableDiffusionPipeline:
    """The pipeline of these parts."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=v_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def save(folder: Path, pipeline: StableDiffusionPipeline, things: Sequence[Thing]) -> None:
    """Writes beside `folder` first and then moves file by file, so that a reader never sees half a file."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".emoji-", dir=folder.parent))
    small = assemble(half(pipeline.vae), half(pipeline.unet), half(pipeline.text_encoder), pipeline.tokenizer)
    try:
        small.save_pretrained(fresh, safe_serialization=True)
        # Loaded as it stands, the text encoder would compute in half precision and the rest in single.
        edit(fresh / "text_encoder/config.json", dtype="float32")
        # AutoencoderTiny writes this one but warns when it reads it.
        edit(fresh / "vae/config.json", drop=["block_out_channels", "_name_or_path"])
        edit(fresh / "unet/config.json", drop=["_name_or_path"])
        write_words(things, fresh)
        move(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def move(fresh: Path, folder: Path) -> None:
    """Moves every file into `folder`, each in one step."""
    for source in sorted(fresh.rglob("*")):
        if source.is_file():
            target = folder / source.relative_to(fresh)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.chmod(0o644)
            source.replace(target)
