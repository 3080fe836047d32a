"""From the points of a grid to a sweep that is on its way."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
from IPython.core.error import UsageError

from gpugen.arguments import Arguments
from gpugen.client import Client, Task
from gpugen.grid import Axis, Values
from gpugen.options import EmbedKind
from gpugen.plain_card import NoView
from gpugen.sending import Sending
from gpugen.submission import Submission
from gpugen.sweep import Sweep, new_group
from gpugen.sweep_status import SweepStatus
from gpugen.view import View
from gpugen_protocol.errors import GpugenError
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import Task as Record


def confirm(asked: Arguments, above: int) -> None:
    """Ask before a grid of more than `above` images.

    Raises:
        UsageError: the answer is no, or nobody can be asked.
    """
    images = sum(point.request.n for point in asked.points)
    if images <= above:
        return
    many = f"This grid has {images} images"
    try:
        answer = input(f"{many}. Draw them all? [y/N] ")
    except (NotImplementedError, EOFError, OSError, RuntimeError):
        raise UsageError(
            f"{many}, and nobody can be asked here. Set %config GpuGenMagics.confirm_above = {images} first."
        ) from None
    if answer.strip().lower() not in {"y", "yes"}:
        raise UsageError(f"{many}; nothing was submitted.")


def submit(
    client: Client,
    asked: Arguments,
    requests: Sequence[TaskRequest],
    view: View,
    cancel: threading.Event,
    sending: Sending,
) -> Sweep:
    """Put all `requests` in the queue, as one group.

    Raises:
        GpugenError: one was refused; those before it are canceled.
    """
    group = new_group()
    tasks: list[Task] = []
    try:
        for request in requests:
            tasks.append(sending.send(client, msgspec.structs.replace(request, group=group)))
    except GpugenError:
        if tasks:
            client.api.cancel_group(group)
        raise
    members = [Submission(client, task, NoView(), threading.Event(), asked.embed) for task in tasks]
    points = [point.values for point in asked.points]
    status = SweepStatus(group, asked.text, asked.axes, points, [member.status for member in members])
    return Sweep(client, status, members, view, cancel)


def reopen(
    client: Client, group: str, view: View, cancel: threading.Event, embed: EmbedKind = "thumbnail"
) -> Sweep:
    """A grid that was submitted before, perhaps by another kernel; its values are what its tasks differ in.

    Raises:
        NotFound: the user has no such group.
    """
    tasks = [Task(client, record) for record in _records(client, group)]
    members = [Submission(client, task, NoView(), threading.Event(), embed) for task in tasks]
    points = _points([_values(task) for task in tasks])
    axes = [Axis(key, tuple(dict.fromkeys(point[key] for point in points))) for key in points[0]]
    text = "" if "prompt" in points[0] else tasks[0].record.request.prompt
    status = SweepStatus(group, text, axes, points, [member.status for member in members])
    return Sweep(client, status, members, view, cancel)


def _records(client: Client, group: str) -> list[Record]:
    """In the order they were submitted in."""
    client.api.group(group)  # or it is not found
    found: list[Record] = []
    cursor: str | None = None
    while True:
        page = client.api.list(group=group, limit=500, cursor=cursor)
        found += page.tasks
        cursor = page.next_cursor
        if cursor is None:
            return found[::-1]


def _values(task: Task) -> Values:
    request = task.record.request
    names = ("prompt", "negative_prompt", "model", "steps", "guidance", "scheduler", "strength", "seed")
    return {
        **{name: getattr(request, name) for name in names},
        "size": (request.width, request.height),
    }


def _points(values: Sequence[Values]) -> list[Values]:
    """Of all values those in which the tasks differ; the seed only where nothing else does."""
    keys = [key for key in values[0] if len({each[key] for each in values}) > 1]
    tried = [key for key in keys if key != "seed"] or keys or ["seed"]
    return [{key: each[key] for key in tried} for each in values]
