"""Shows on stderr how a task goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Protocol

import click

from gpugen.client import Client, Task
from gpugen.harmless import clean
from gpugen.status import Status

_EVERY = 0.25  # seconds between two looks at the clock
_LINE_EVERY = 5.0  # seconds between two lines about the same phase
_CANCEL_PATIENCE = 5.0  # seconds a worker is given to stop


class View(Protocol):
    """Something that shows a task."""

    def show(self, status: Status) -> None:
        """Show it as it is now."""

    def close(self) -> None:
        """Clear the place."""


def follow(client: Client, task: Task) -> None:
    """Show the task until it is finished; Ctrl-C cancels it on the server, a second one leaves at once."""
    view: View = Bar() if sys.stderr.isatty() else Lines()
    status = Status(task.record)
    try:
        with contextlib.closing(view):
            _show_until_end(task, status, view)
    except KeyboardInterrupt:
        click.echo(f"\nCanceling task {task.id} ...", err=True)
        task.cancel_and_wait(_CANCEL_PATIENCE)
        _tell_finished(task)
        raise
    finally:
        for warning in status.warnings:
            click.echo(f"Warning: {clean(warning)}", err=True)
    task.refresh()


def _tell_finished(task: Task) -> None:
    finished = len(task.record.images)
    if finished:
        click.echo(
            f"{finished} of {task.record.request.n} images were finished: gpugen images {task.id}", err=True
        )


def _show_until_end(task: Task, status: Status, view: View) -> None:
    with contextlib.closing(task.watch()) as watch:
        while not watch.done:
            event = watch.get(_EVERY)
            if event is not None:
                status.apply(event)
            view.show(status)


class Lines:
    """A line when something new begins, and every few seconds while it lasts."""

    def __init__(self) -> None:
        self._phase = ""
        self._told_at = 0.0

    def show(self, status: Status) -> None:
        """Write a line if there is news."""
        now = time.monotonic()
        if status.phase != self._phase or now - self._told_at > _LINE_EVERY:
            self._phase, self._told_at = status.phase, now
            click.echo(clean(status.sentence), err=True)

    def close(self) -> None:
        """Nothing stays open."""


class Bar:
    """A bar with what is going on, elapsed and remaining time."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._row = self._progress.add_task("", total=None, left="")
        self._progress.start()

    def show(self, status: Status) -> None:
        """Move the bar."""
        fraction = status.fraction
        self._progress.update(
            self._row,
            description=clean(status.sentence),
            total=None if fraction is None else 1.0,
            completed=fraction or 0.0,
            left=_left(status),
        )

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def _left(status: Status) -> str:
    """How long it still takes; empty where nobody knows."""
    from gpugen.words import clock

    if status.remaining is not None:
        return f"{clock(status.remaining)} left"
    return "" if status.eta is None else f"about {clock(status.eta)} left"
