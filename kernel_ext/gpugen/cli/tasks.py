"""`gpugen queue|cancel|retry|images`: what can be done with tasks that are already there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gpugen_protocol.task import Task

_json = click.option("--json", "as_json", is_flag=True, help="As one JSON document.")


@click.command()
@click.option("--all", "everything", is_flag=True, help="Finished ones, too.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most so many.")
@_json
def queue(everything: bool, limit: int, as_json: bool) -> None:
    """Your tasks that wait or run, newest first."""
    from gpugen.cli.output import print_json, print_table
    from gpugen.cli.session import session

    with session() as client:
        if everything:
            tasks = list(client.api.list(limit=limit).tasks)
        else:
            running = client.api.list(state="running", limit=limit).tasks
            tasks = [*client.api.list(state="queued", limit=limit).tasks, *running][:limit]
    if as_json:
        print_json({"tasks": tasks})
        return
    empty = "You have no tasks." if everything else "No task waits or runs."
    print_table(("id", "state", "where", "model", "images", "prompt"), map(_row, tasks), empty=empty)


def _row(task: Task) -> tuple[str, ...]:
    from gpugen.words import headline

    drawn = f"{len(task.images)} of {task.request.n}"
    return (task.id, task.state, _where(task), task.request.model, drawn, headline(task.request.prompt, 50))


def _where(task: Task) -> str:
    if task.state == "queued":
        if task.queue_position:
            return f"number {task.queue_position}"
        return task.queue_position_text or task.phase_text  # in nobody's line: why
    if task.state == "running" and task.progress is not None:
        return f"step {task.progress.step} of {task.progress.steps}"
    return task.phase if task.state == "running" else ""


@click.command()
@click.argument("task_id", metavar="ID", required=False)
@click.option("--group", metavar="NAME", help="Every task of a group (a grid is one) instead of one task.")
@_json
def cancel(task_id: str | None, group: str | None, as_json: bool) -> None:
    """Stop a task or a group: at once what waits, within one step what runs. ID may be the start of an id."""
    if task_id is not None and group is None:
        _cancel_task(task_id, as_json)
    elif group is not None and task_id is None:
        _cancel_group(group, as_json)
    else:
        raise click.UsageError("Name a task by its ID, or a group with --group.")


def _cancel_task(task_id: str, as_json: bool) -> None:
    from gpugen.cli.output import print_json
    from gpugen.cli.session import find_task, session

    with session() as client:
        task = find_task(client, task_id)
        over = task.record.finished
        record = task.record if over else task.cancel()
    if as_json:
        print_json(record)
    elif over:
        click.echo(f"Task {record.id} is already {record.state}.")
    else:
        click.echo(f"Task {record.id} is {'canceled' if record.state == 'canceled' else 'being canceled'}.")


def _cancel_group(name: str, as_json: bool) -> None:
    from gpugen.cli.output import print_json
    from gpugen.cli.session import session

    with session() as client:
        over = (group := client.api.group(name)).finished
        if not over:
            group = client.api.cancel_group(name)
    if as_json:
        print_json(group)
    elif over:
        click.echo(f"Group {name} is already finished.")
    else:
        running = group.tasks.get("running", 0)
        state = f"being canceled: {running} still running" if running else "canceled"
        click.echo(f"Group {name} is {state}.")


@click.command()
@click.argument("task_id", metavar="ID")
@_json
def retry(task_id: str, as_json: bool) -> None:
    """Submit the request of a task again, as a new task. ID may be the start of an id."""
    from gpugen.cli.output import print_json
    from gpugen.cli.session import find_task, session

    with session() as client:
        record = client.api.retry(find_task(client, task_id).id)
    if as_json:
        print_json(record)
    else:
        click.echo(record.id)
        click.echo(f"Submitted. `gpugen images {record.id}` fetches the images when they are done.", err=True)


@click.command()
@click.argument("task_id", metavar="ID")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE|DIR", help="Where to.")
@_json
def images(task_id: str, out: Path | None, as_json: bool) -> None:
    """Fetch the images a task has so far. ID may be the start of an id."""
    from gpugen.cli.output import print_json
    from gpugen.cli.session import find_task, session
    from gpugen.cli.target import Target
    from gpugen.result import Result
    from gpugen_protocol import wire
    from gpugen_protocol.errors import NotFound

    with session() as client:
        task = find_task(client, task_id)
        if not task.record.images:
            raise NotFound(f"Task {task.id} is {task.record.state} and has no images.")
        target = Target.of(out, len(task.record.images))
        files = [str(file) for file in target.save(Result(client.api, task.record))]
    if as_json:
        print_json({**wire.plain(task.record), "files": files})
    else:
        click.echo("\n".join(files))
