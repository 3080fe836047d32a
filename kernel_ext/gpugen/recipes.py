"""The recipe that an image carries: ours, or what other programs wrote that draw images."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gpugen import foreign_recipes
from gpugen.png_text import texts
from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.recipe import RECIPE_KEY, Recipe


def recipe(source: str | Path | bytes) -> Recipe:
    """What the PNG file `source` (a path, or its bytes) was drawn from.

    Read are the recipes of gpugen, of AUTOMATIC1111's web UI and those who follow it, of ComfyUI and of
    InvokeAI. What those do not say is empty; a sampler that gpugen does not know is empty, too.

    Raises:
        InvalidRequest: the file cannot be read, or holds no recipe with prompt, seed, steps and size.
    """
    png = source if isinstance(source, bytes) else _read(Path(source).expanduser())
    found = read_recipe(png) or foreign_recipes.read(texts(png))
    if found is None:
        name = "The image" if isinstance(source, bytes) else str(source)
        raise InvalidRequest(
            f"{name} holds no recipe with prompt, seed, steps and size.",
            hint="PNG files of gpugen, AUTOMATIC1111, ComfyUI and InvokeAI hold one, unless it was removed.",
        )
    return found


def read_recipe(png: bytes) -> Recipe | None:
    """Our own recipe inside `png`; None where there is none that we can read."""
    text = texts(png).get(RECIPE_KEY)
    try:
        return None if text is None else msgspec.json.decode(text, type=Recipe)
    except msgspec.DecodeError:
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from None
