"""From the points of a grid to a sweep that is on its way."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
from IPython.core.error import UsageError

from gpugen.arguments import Arguments
from gpugen.client import Client, Task
from gpugen.plain_card import NoView
from gpugen.submission import Submission
from gpugen.sweep import Sweep, new_group
from gpugen.sweep_status import SweepStatus
from gpugen.view import View
from gpugen_protocol.request import TaskRequest


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
    client: Client, asked: Arguments, requests: Sequence[TaskRequest], view: View, cancel: threading.Event
) -> Sweep:
    """Put all `requests` in the queue, as one group.

    Raises:
        GpugenError: one was refused; those before it are canceled.
    """
    group = new_group()
    tasks: list[Task] = []
    try:
        for request in requests:
            tasks.append(client.send(msgspec.structs.replace(request, group=group)))
    except BaseException:
        if tasks:
            client.api.cancel_group(group)
        raise
    members = [Submission(client, task, NoView(), threading.Event(), asked.embed) for task in tasks]
    points = [point.values for point in asked.points]
    status = SweepStatus(group, asked.text, asked.axes, points, [member.status for member in members])
    return Sweep(client, status, members, view, cancel)
