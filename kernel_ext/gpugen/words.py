"""How a task is put into words: the same in the card, under the picture and in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from gpugen.harmless import clean
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.task import Task


def headline(prompt: str, limit: int = 120) -> str:
    """The prompt on one line, cut where it is longer than `limit` characters."""
    line = " ".join(clean(prompt).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def settings(request: ResolvedRequest) -> str:
    """What it is drawn with, as in `emoji · 128×128 · 20 steps · guidance 3 · seed 7`."""
    parts = (
        request.model,
        f"{request.width}×{request.height}",
        f"{request.steps} step{'s' if request.steps != 1 else ''}",
        f"guidance {request.guidance:g}",
        f"strength {request.strength:g}" if request.strength is not None else "",
        seeds(request),
    )
    return " · ".join(filter(None, parts))


def in_common(requests: Sequence[ResolvedRequest]) -> str:
    """The settings that are the same in all `requests`, as `settings` says them."""
    said = [settings(each).split(" · ") for each in requests]
    return " · ".join(part for part in said[0] if all(part in other for other in said))


def seeds(request: ResolvedRequest) -> str:
    """`seed 7`, or `seeds 7 to 10`."""
    if request.n == 1:
        return f"seed {request.seed}"
    return f"seeds {request.seeds[0]} to {request.seeds[-1]}"


def outcome(task: Task, elapsed: float | None = None) -> str:
    """How it ended, as in `Done in 1.6 s`; `elapsed` seconds where the server's own figure is not known."""
    drawn, n = len(task.images), task.request.n
    seconds = task.timings.total if task.timings.total is not None else elapsed
    if task.state == "succeeded":
        return f"Done in {duration(seconds)}" if seconds is not None else "Done"
    if task.state == "canceled":
        return f"Canceled after {drawn} of {n} images" if n > 1 else "Canceled"
    if task.state == "failed":
        return f"Failed after {drawn} of {n} images" if drawn else "Failed"
    return f"Not waited for: it is {task.state}"


def farewell(task: Task, drawn: int, *, told: bool, command: str) -> str:
    """What has become of a task that was interrupted.

    Args:
        task: as the server last described it.
        drawn: how many of its images stay.
        told: whether the server has heard that it is to stop.
        command: what the user cancels with: `gpugen` or `%gpugen`.
    """
    if not told and not task.finished:
        return untold(f"task {task.id}", f"{command} cancel {task.id}")
    ends = {"canceled": "was canceled", "succeeded": "had just succeeded", "failed": "had just failed"}
    stay = f"; {drawn} finished image{'s stay' if drawn != 1 else ' stays'}" if drawn else ""
    return f"Task {task.id} {ends.get(task.state, 'was asked to stop')}{stay}."


def farewell_of_grid(group: str, drawn: int, *, told: bool, command: str) -> str:
    """The same of a grid's tasks."""
    if not told:
        return untold(f"the grid {group}", f"{command} cancel {group}")
    return f"The grid {group} was canceled; {drawn} finished images stay."


def untold(what: str, remedy: str) -> str:
    """That the server has not heard that `what` is to stop, and the command that is left to do."""
    return f"The server could not be told: {what} may go on. `{remedy}` when it is back."


def duration(seconds: float) -> str:
    """`0.4 s`, `48 s`, `2 min 5 s`, `1 h 3 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`: as on a stop watch, so that its width stays."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{head}:{whole % 60:02}"
