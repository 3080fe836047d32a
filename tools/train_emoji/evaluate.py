"""Measures a model folder and draws its contact sheet: `python -m tools.train_emoji evaluate MODEL_DIR`."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from torch.nn import functional as F

from . import autoencoder
from .captions import COLOURS, WHITE, Combination, held_out
from .glyphs import SIZE, Stencils
from .prompts import SHEET
from .vocabulary import Thing

STEPS = 12
GUIDANCE = 1.5
BATCH = 12
COARSE = 32  # pixels a side when a picture is compared with what it should show
SHEET_COLUMNS = 12
SHEET_BYTES = 400_000


def generate(pipeline: Any, prompts: Sequence[str], seed: int, steps: int, guidance: float) -> torch.Tensor:
    """Images [n, 3, SIZE, SIZE] in 0..1, rounded to bytes; prompt k has the seed `seed + k`."""
    parts = []
    for first in range(0, len(prompts), BATCH):
        some = list(prompts[first : first + BATCH])
        generators = [torch.Generator().manual_seed(seed + first + k) for k in range(len(some))]
        found = pipeline(
            some, num_inference_steps=steps, guidance_scale=guidance, generator=generators, output_type="pil"
        ).images
        parts += [torch.from_numpy(np.array(image.convert("RGB"))) for image in found]
    return torch.stack(parts).permute(0, 3, 1, 2).float() / 255


def coarse(images: torch.Tensor) -> torch.Tensor:
    """Images shrunk to COARSE pixels a side, one row each."""
    return F.adaptive_avg_pool2d(images, COARSE).flatten(1)


def named(
    images: torch.Tensor, stencils: Stencils, colours: Sequence[int], asked: Sequence[int]
) -> dict[str, float]:
    """Which thing each image shows: the one with the nearest picture over the colour that was asked for."""
    pictures = torch.arange(len(stencils))
    references = {}
    for colour in set(colours):
        paint = torch.tensor(COLOURS[colour][1]).expand(len(pictures), 3) / 255
        references[colour] = coarse(stencils.over(pictures, paint))
    first = fifth = 0
    errors = []
    for image, colour, thing in zip(coarse(images), colours, asked, strict=True):
        distances = (references[colour] - image).square().mean(1)
        rank = int((distances < distances[thing]).sum())
        first += rank == 0
        fifth += rank < 5
        errors.append(float(distances[thing]) ** 0.5)
    return {"recall_1": first / len(images), "recall_5": fifth / len(images), "rmse": statistics.mean(errors)}


def border(images: torch.Tensor) -> torch.Tensor:
    """The middle colour of the outermost four pixels of each image."""
    mask = torch.ones(SIZE, SIZE, dtype=torch.bool)
    mask[4:-4, 4:-4] = False
    return images[:, :, mask].median(-1).values


def colour_accuracy(images: torch.Tensor, colours: Sequence[int]) -> float:
    """The share of images whose border is nearest to the colour that was asked for."""
    palette = torch.tensor([paint for _, paint in COLOURS]) / 255
    nearest = torch.cdist(border(images), palette).argmin(1)
    return float((nearest == torch.tensor(colours)).float().mean())


def darkest_corner(images: torch.Tensor) -> torch.Tensor:
    """For each image the lowest value, 0..255, in its four corners of 8 x 8 pixels."""
    corners = [
        images[:, :, rows, columns]
        for rows in (slice(8), slice(-8, None))
        for columns in (slice(8), slice(-8, None))
    ]
    return torch.cat([each.flatten(1) for each in corners], 1).min(1).values * 255


def seconds_per_image(pipeline: Any, steps: int, guidance: float) -> dict[str, float]:
    """The best time of one image, which is what an idle machine takes, and its CPU time over all threads."""
    walls, busy = [], []
    for seed in range(8):
        began, began_busy = time.perf_counter(), time.process_time()
        pipeline(
            "a cat",
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=torch.Generator().manual_seed(seed),
        )
        walls.append(time.perf_counter() - began)
        busy.append(time.process_time() - began_busy)
    return {"seconds_per_image": min(walls), "cpu_seconds_per_image": min(busy)}


def same_twice(pipeline: Any, steps: int, guidance: float) -> bool:
    """Whether the same seed gives the same pixels."""
    first, second = (generate(pipeline, ["a red car"], 7, steps, guidance) for _ in range(2))
    return bool(torch.equal(first, second))


def contact_sheet(images: torch.Tensor, path: Path) -> None:
    """All images on one sheet of less than SHEET_BYTES, with as many shades as fit."""
    rows = -(-len(images) // SHEET_COLUMNS)
    for bits in (8, 7, 6, 5):
        sheet = Image.new("RGB", (SHEET_COLUMNS * SIZE, rows * SIZE), "white")
        shades = 2**bits - 1
        pixels = ((images * shades).round() / shades * 255).round().byte().permute(0, 2, 3, 1).numpy()
        for index, each in enumerate(pixels):
            sheet.paste(Image.fromarray(each), (index % SHEET_COLUMNS * SIZE, index // SHEET_COLUMNS * SIZE))
        sheet.save(path, optimize=True)
        if path.stat().st_size < SHEET_BYTES:
            return


def folder_bytes(folder: Path) -> int:
    """What the folder takes on disk."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def evaluate(
    folder: Path,
    sheet: Path,
    things: Sequence[Thing],
    stencils: Stencils,
    seed: int,
    *,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
) -> dict[str, Any]:
    """Writes metrics.json into the folder and the contact sheet to `sheet`; returns the figures."""
    pipeline = DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    combinations: list[Combination] = held_out(things, seed)
    random.Random(seed).shuffle(combinations)
    colours, asked = [each.colour for each in combinations], [each.thing for each in combinations]
    images = generate(pipeline, [each.text for each in combinations], 1000, steps, guidance)
    plain = [(index, word) for index, thing in enumerate(things) for word in thing.words]
    plain_images = generate(pipeline, [word for _, word in plain], 5000, steps, guidance)
    corners = darkest_corner(plain_images)
    metrics = {
        "steps": steps,
        "guidance": guidance,
        "held_out": {"count": len(combinations), "background": colour_accuracy(images, colours)}
        | named(images, stencils, colours, asked),
        "plain_words": {"count": len(plain), "white_corners": float((corners >= 250).float().mean())}
        | {"median_darkest_corner": float(corners.median())}
        | named(plain_images, stencils, [WHITE] * len(plain), [index for index, _ in plain]),
        "autoencoder_psnr": autoencoder.measure(pipeline.vae, stencils),
        "same_seed_same_pixels": same_twice(pipeline, steps, guidance),
        **seconds_per_image(pipeline, steps, guidance),
        "threads": torch.get_num_threads(),
        "bytes": folder_bytes(folder),
        "things": len(things),
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    contact_sheet(generate(pipeline, SHEET, 1, steps, guidance), sheet)
    return metrics
