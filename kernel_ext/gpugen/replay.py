"""`%gpugen replay`: an image drawn again from its recipe, and what differs from the first time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from gpugen.client import Client, Task, build_request
from gpugen.recipes import recipe
from gpugen.result import Result
from gpugen_protocol.recipe import Recipe
from gpugen_protocol.request import TaskRequest

_DECIDE = ("prompt", "negative_prompt", "model", "revision", "width", "height", "steps", "guidance")
_ALSO = ("scheduler", "seed", "init_image", "mask_image", "strength", "gpugen")


class Original(Struct, frozen=True):
    """What is to be drawn again: the recipe and the picture of every image."""

    request: TaskRequest
    recipes: tuple[Recipe, ...]
    pngs: tuple[bytes, ...]


def of_file(path: Path, model: str | None = None) -> Original:
    """The image in a file; `model` instead of the one it names.

    Raises:
        InvalidRequest: it holds no recipe, or one that gpugen cannot draw.
    """
    png = path.expanduser().read_bytes() if path.expanduser().is_file() else b""
    found = recipe(path)
    request = build_request(
        found.prompt,
        negative_prompt=found.negative_prompt,
        model=model or found.model or None,
        scheduler=found.scheduler or None,
        **{name: getattr(found, name) for name in ("width", "height", "steps", "guidance", "seed")},
        **{name: getattr(found, name) for name in ("init_image", "mask_image", "strength")},
    )
    return Original(request, (found,), (png,))


def of_task(task: Task, client: Client, model: str | None = None) -> Original:
    """The finished images of a task."""
    asked = task.record.request
    names = ("negative_prompt", "width", "height", "steps", "guidance", "seed", "n", "scheduler")
    images = ("init_image", "mask_image", "strength")
    request = build_request(
        asked.prompt,
        model=model or asked.model,
        **{name: getattr(asked, name) for name in (*names, *images)},
    )
    result = Result(client.api, task.record)
    return Original(
        request, tuple(result.recipes), tuple(result.png(position) for position in range(len(result)))
    )


def verdict(original: Original, result: Result) -> str:
    """What differs, in sentences: of the recipes first, then of the pixels."""
    if not original.recipes:
        return "There was no image to compare with."
    lines = list(dict.fromkeys(_all_differences(original, result)))
    pixels = [_pixels(old, result.png(position)) for position, old in enumerate(original.pngs)]
    if any(pixels):
        lines += [f"Image {position + 1}: {text}" for position, text in enumerate(pixels) if text]
    else:
        lines.append("The pixels are identical.")
    return "\n".join(lines)


def _all_differences(original: Original, result: Result) -> Iterator[str]:
    for old, new in zip(original.recipes, result.recipes, strict=False):
        yield from differences(old, new)


def differences(old: Recipe, new: Recipe) -> Iterator[str]:
    """What of two recipes differs, one sentence each; what the old one does not say is passed over."""
    for name in (*_DECIDE, *_ALSO):
        before, now = getattr(old, name), getattr(new, name)
        if before not in ("", None) and before != now:
            yield f"Another {name.replace('_', ' ')}: {now!s}, it was {before!s}."
    for name, before in old.reported.items():
        if new.reported.get(name) != before:
            yield f"Another {name}: {new.reported.get(name, 'not known')}, it was {before}."


def _pixels(old: bytes, new: bytes) -> str:
    """How the pictures differ; empty if not one pixel does."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(old)) as before, Image.open(io.BytesIO(new)) as now:
        if before.size != now.size:
            return f"it has {now.width}x{now.height} pixels, it had {before.width}x{before.height}."
        gap = ImageChops.difference(before.convert("RGB"), now.convert("RGB"))
    worst = max(gap.tobytes())
    return f"pixels differ by up to {worst} of 255." if worst else ""
