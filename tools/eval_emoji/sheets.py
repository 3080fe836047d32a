"""Contact sheets."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from tools.train_emoji.glyphs import SIZE

from .artist import Artist
from .prompts import SEEDS, SHEET, VARIETY

COLUMNS = 12
VARIETY_COLUMNS = 8
BLIND_COLUMNS = 8
SHEET_BYTES = 400_000
FIRST_SEED = 1
STRIP = 20  # pixels under a tile for its number


def contact_sheet(images: torch.Tensor, path: Path, columns: int) -> None:
    """All images on one sheet of less than SHEET_BYTES, with as many shades as fit."""
    rows = -(-len(images) // columns)
    for bits in (8, 7, 6, 5):
        sheet = Image.new("RGB", (columns * SIZE, rows * SIZE), "white")
        shades = 2**bits - 1
        pixels = ((images * shades).round() / shades * 255).round().byte().permute(0, 2, 3, 1).numpy()
        for index, each in enumerate(pixels):
            sheet.paste(Image.fromarray(each), (index % columns * SIZE, index // columns * SIZE))
        sheet.save(path, optimize=True)
        if path.stat().st_size < SHEET_BYTES:
            return


def numbered_sheet(images: torch.Tensor, path: Path) -> None:
    """All images with their numbers from 1 under them, for a viewer to name."""
    rows = -(-len(images) // BLIND_COLUMNS)
    sheet = Image.new("RGB", (BLIND_COLUMNS * (SIZE + STRIP), rows * (SIZE + STRIP)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for index, each in enumerate((images * 255).round().byte().permute(0, 2, 3, 1).numpy()):
        left, top = (SIZE + STRIP) * (index % BLIND_COLUMNS), (SIZE + STRIP) * (index // BLIND_COLUMNS)
        sheet.paste(Image.fromarray(each), (left, top))
        pen.text((left + 2, top + SIZE + 1), str(index + 1), font=font, fill="black")
    sheet.save(path, optimize=True)


def draw_sheets(artist: Artist, folder: Path) -> torch.Tensor:
    """Writes emoji-sheet.png and emoji-variety.png into `folder`; returns the pictures of the first."""
    pictures = artist.draw(SHEET, FIRST_SEED)
    contact_sheet(pictures, folder / "emoji-sheet.png", COLUMNS)
    rows = [artist.draw([prompt] * SEEDS, FIRST_SEED) for prompt in VARIETY]
    contact_sheet(torch.cat(rows), folder / "emoji-variety.png", VARIETY_COLUMNS * 2)
    return pictures


def draw_blind(pictures: torch.Tensor, prompts: Sequence[str], sheet: Path, key: Path, seed: int) -> None:
    """The first sheet in another order with numbers alone, and the key to it."""
    order = list(range(len(prompts)))
    random.Random(f"blind {seed}").shuffle(order)
    numbered_sheet(pictures[order], sheet)
    found = {str(number): prompts[at] for number, at in enumerate(order, 1)}
    key.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
