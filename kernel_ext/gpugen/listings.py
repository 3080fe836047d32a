"""`%gpugen queue|history|models|workers|logs`: what there is, as tables."""

from __future__ import annotations

from typing import Any

from gpugen import tables
from gpugen.client import Client, Task
from gpugen.words import headline, outcome
from gpugen_protocol.task import Task as Record

_SHOWN = 30  # tasks in a list
_TASKS = ("id", "state", "model", "images", "prompt")


def queue(client: Client) -> None:
    """The user's tasks that wait or run, the next one first."""
    running = client.api.list(state="running", limit=_SHOWN).tasks
    waiting = client.api.list(state="queued", limit=_SHOWN).tasks
    rows = [_row(task) for task in (*reversed(running), *reversed(waiting))]
    tables.show(_TASKS, rows, empty="No task of yours waits or runs.")


def history(client: Client) -> None:
    """The user's latest tasks, newest first."""
    tables.show(_TASKS, map(_row, client.api.list(limit=_SHOWN).tasks), empty="You have no tasks yet.")


def models(client: Client) -> None:
    """What can be asked for with -m."""
    known = client.api.models()
    rows = [
        (
            model.name + (" (default)" if model.name == known.default else ""),
            f"{model.width}x{model.height}",
            model.steps,
            model.licence,
            model.title,
        )
        for model in known.models
    ]
    tables.show(("name", "size", "steps", "licence", "what it is"), rows, empty="The server knows no model.")


def workers(client: Client) -> None:
    """Who draws."""
    answer = client.api.workers()
    rows: list[tuple[Any, ...]] = [
        (machine.name, machine.state, machine.text, None, "")
        for machine in answer.machines
        if machine.worker is None
    ]
    rows += [(each.name, each.state, each.device, each.task, each.version) for each in answer.workers]
    empty = answer.autoscaler_text or "There is no worker just now."
    tables.show(("name", "state", "device", "task", "version"), rows, empty=empty)


def logs(client: Client, task: Task) -> None:
    """What happened to a task, event by event."""
    from gpugen.cli.logs import line, stored

    print("\n".join(map(line, stored(client, task))))  # noqa: T201 - in a notebook this is the cell's output


def _row(task: Record) -> tuple[str, ...]:
    drawn = f"{len(task.images)} of {task.request.n}"
    state: str = task.state
    if task.state == "queued" and task.queue_position:
        state = f"number {task.queue_position} in line"
    elif task.state == "queued" and not task.queue_position_text:
        state = task.phase_text or state
    elif task.state == "running" and task.progress is not None:
        state = f"step {task.progress.step} of {task.progress.steps}"
    elif task.finished:
        state = outcome(task)
    return task.id, state, task.request.model, drawn, headline(task.request.prompt, 60)
