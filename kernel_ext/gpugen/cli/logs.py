"""`gpugen logs`: what happened to a task, event by event."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gpugen.client import Client, Task
    from gpugen_protocol.events import Event


@click.command()
@click.argument("task_id", metavar="ID")
@click.option("-f", "--follow", is_flag=True, help="Go on until the task is finished.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON document; with -f, one a line.")
def logs(task_id: str, follow: bool, as_json: bool) -> None:
    """What happened to a task. ID may be the start of an id."""
    from gpugen.cli.output import print_json
    from gpugen.cli.session import find_task, session
    from gpugen_protocol import wire

    with session() as client:
        task = find_task(client, task_id)
        if as_json and not follow:
            print_json({"events": list(stored(client, task))})
            return
        for event in _live(task) if follow else stored(client, task):
            click.echo(wire.encode(event).decode() if as_json else line(event))


def stored(client: Client, task: Task) -> Iterator[Event]:
    """All that the server keeps of a task's events; a `gap` stands for what it no longer has."""
    from gpugen_protocol.events import GapEvent

    after = 0
    while True:
        page = client.api.events(task.id, after)
        first = page.events[0].seq if page.events else page.last_seq + 1
        if first > after + 1:
            at = page.events[0].at if page.events else task.record.created_at
            yield GapEvent(task=task.id, at=at, until=first - 1)
        yield from page.events
        if not page.events or page.events[-1].seq >= page.last_seq:
            return
        after = page.events[-1].seq


def _live(task: Task) -> Iterator[Event]:
    """The events worth a line: steps and previews would drown the rest."""
    from gpugen_protocol.events import PreviewEvent, ProgressEvent, SnapshotEvent

    with contextlib.closing(task.watch()) as watch:
        for event in watch:
            if not isinstance(event, PreviewEvent | ProgressEvent | SnapshotEvent):
                yield event


def line(event: Event) -> str:
    """An event as one line for a person."""
    from gpugen.harmless import clean

    margin = " " * len(event.at)  # so that the lines of a worker's words look like nobody else's
    return f"{event.at}  " + clean(_words(event)).replace("\n", f"\n{margin}  ")


def _words(event: Event) -> str:
    from gpugen_protocol import events

    words = ""
    match event:
        case events.StateEvent(error=None):
            words = f"state    {event.state}"
        case events.StateEvent(error=failure):
            assert failure is not None
            words = f"state    {event.state}: {failure.message} {failure.hint}"
        case events.PhaseEvent():
            words = f"phase    {event.phase}  {event.text}"
        case events.ImageEvent():
            words = f"image    {event.index}, seed {event.seed}"
        case events.LogEvent():
            words = f"{event.level:<8} {event.message}"
        case events.GapEvent():
            words = f"gap      events up to number {event.until} are no longer kept"
        case events.NoticeEvent():
            words = f"notice   {event.message}"
    return words.rstrip()
