"""What a finished cell keeps in the notebook file: a picture and words that need neither kernel nor widgets.

The picture is plain `image/png`, which every front end shows, GitHub included, and which a sanitizer
leaves alone in a notebook that is not trusted. The words under it are an output of their own: HTML beside the
PNG in one output would win over it in most front ends, and would have to carry the picture a second time.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gpugen import kept_markup
from gpugen.ending import Ending
from gpugen.pictures import picture_of
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
    return picture_output(ending), Output(
        # the picture's own text says it all, hence none here
        {"text/html": kept_markup.caption(ending.task, ending.elapsed, ending.warnings), "text/plain": ""}
    )


def picture_output(ending: Ending) -> Output:
    """The picture; its text is all there is to know, for whoever shows no pictures."""
    picture = picture_of(ending.pngs)
    size = {"width": picture.width, "height": picture.height, "alt": headline(ending.task.request.prompt)}
    data = {"image/png": base64.b64encode(picture.png).decode(), "text/plain": description(ending)}
    return Output(data, {"image/png": size, "gpugen": _record(ending.task)})


def failure_output(task: Task, error: GpugenError) -> Output:
    """What stays when nothing was drawn."""
    lines = (headline(task.request.prompt), settings(task.request), str(error), f"task {task.id}")
    data = {"text/html": kept_markup.failure(task, error), "text/plain": "\n".join(lines)}
    return Output(data, {"gpugen": _record(task)})


def pending_output(task: Task) -> Output:
    """What stands under the card of a task that nobody waits for."""
    return Output({"text/html": kept_markup.pending(task), "text/plain": f"task {task.id}: %gpugen wait"})


EMPTY = Output({"text/html": "", "text/plain": ""})


def description(ending: Ending) -> str:
    """Prompt, settings with seed, outcome and task in three lines, then what the worker warned of."""
    task = ending.task
    last = f"{outcome(task, ending.elapsed)} · task {task.id}"
    return "\n".join((headline(task.request.prompt), settings(task.request), last, *ending.warnings))


def _record(task: Task) -> dict[str, Any]:
    """What programs that read notebooks may want: enough to draw it again."""
    return {
        "task": task.id,
        "state": task.state,
        "request": wire.plain(task.request),
        "seeds": [image.seed for image in task.images],
    }
