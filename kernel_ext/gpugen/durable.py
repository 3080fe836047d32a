"""What a finished cell keeps in the notebook file: a picture and words that need neither kernel nor widgets.

The picture is plain `image/png` or `image/jpeg`, which every front end shows, GitHub included, and which a
sanitizer leaves alone in a notebook that is not trusted. The words under it are an output of their own: HTML
beside the picture in one output would win over it in most front ends, and would carry the picture twice.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gpugen import board, kept_markup, links
from gpugen.ending import Ending
from gpugen.pictures import picture_of
from gpugen.recipes import read_recipe
from gpugen.words import headline, outcome, settings
from gpugen_protocol import wire
from gpugen_protocol.errors import GpugenError, TaskFailed
from gpugen_protocol.task import Task

MimeBundle = Mapping[str, Any]


class Output(Struct, frozen=True):
    """One output of a cell: its forms by MIME type, and what is noted about them."""

    data: MimeBundle
    metadata: MimeBundle = {}


def outputs_of(ending: Ending) -> tuple[Output, Output | None]:
    """What stays of a task: the picture and the words under it, or the card of a failure alone.

    Raises:
        MissingExtra: the picture takes Pillow, which is not installed.
    """
    if not ending.pngs:
        return failure_output(ending.task, ending.error or TaskFailed("No image was drawn.")), None
    caption = kept_markup.caption(ending.task, ending.elapsed, ending.warnings)
    if ending.embed == "none":
        data = {"text/html": caption, "text/plain": description(ending)}
        return Output(data, {"gpugen": _record(ending)}), None
    # the picture's own text says it all, hence none here
    return picture_output(ending), Output({"text/html": caption, "text/plain": ""})


def picture_output(ending: Ending) -> Output:
    """The picture; its text is all there is to know, for whoever shows no pictures."""
    places = board.of_request(ending.task.request).only(len(ending.pngs))
    picture = picture_of(ending.pngs, places, full=ending.embed == "full")
    size = {"width": picture.width, "height": picture.height, "alt": headline(ending.task.request.prompt)}
    data = {picture.mime: base64.b64encode(picture.data).decode(), "text/plain": description(ending)}
    return Output(data, {picture.mime: size, "gpugen": _record(ending)})


def failure_output(task: Task, error: GpugenError) -> Output:
    """What stays when nothing was drawn."""
    lines = (headline(task.request.prompt), settings(task.request), str(error), f"task {task.id}")
    data = {"text/html": kept_markup.failure(task, error), "text/plain": "\n".join(lines)}
    return Output(
        data, {"gpugen": {"task": task.id, "state": task.state, "request": wire.plain(task.request)}}
    )


def pending_output(name: str) -> Output:
    """What stands under the card of what nobody waits for."""
    return Output({"text/html": kept_markup.pending(name), "text/plain": f"{name}: %gpugen wait"})


EMPTY = Output({"text/html": "", "text/plain": ""})


def description(ending: Ending) -> str:
    """Prompt, settings with seed, outcome and task, where the full images are, what the worker warned of."""
    task = ending.task
    last = f"{outcome(task, ending.elapsed)} · task {task.id}"
    full = links.image(task.id, 0)
    where = f"full size: gpugen images {task.id}" + (f", or {full}" if full else "")
    return "\n".join((headline(task.request.prompt), settings(task.request), last, where, *ending.warnings))


def _record(ending: Ending) -> dict[str, Any]:
    """What programs that read notebooks may want: enough to draw it again."""
    task = ending.task
    recipe = read_recipe(ending.pngs[0])
    return {
        "task": task.id,
        "state": task.state,
        "request": wire.plain(task.request),
        "seeds": [image.seed for image in task.images],
        "recipe": None if recipe is None else wire.plain(recipe),
    }
