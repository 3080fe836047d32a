"""Shows on stderr how a task goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Protocol

import click

from gpugen.client import Task
from gpugen.harmless import clean
from gpugen.status import Status

_EVERY = 0.25  # seconds between two looks at the clock
_LINE_EVERY = 5.0  # seconds between two lines about the same phase


class View(Protocol):
    """Something that shows a task."""

    def show(self, status: Status) -> None:
        """Show it as it is now."""

    def say(self, text: str) -> None:
        """Write a line that stays."""

    def close(self) -> None:
        """Clear the place."""


def follow(task: Task) -> None:
    """Show the task until it is finished."""
    view: View = Bar() if sys.stderr.isatty() else Lines()
    status = Status(task.record)
    with contextlib.closing(view), contextlib.closing(task.watch()) as watch:
        told: tuple[str, ...] = ()
        while not watch.done:
            event = watch.get(_EVERY)
            if event is not None:
                status.apply(event)
            told = _tell_news(status, told, view)
            view.show(status)
    task.refresh()


def _tell_news(status: Status, told: tuple[str, ...], view: View) -> tuple[str, ...]:
    """Say what was not `told` before of the notes; gives all there are now."""
    for note in reversed(status.notes):
        if note not in told:
            view.say(f"Warning: {clean(note)}")
    return status.notes


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

    def say(self, text: str) -> None:
        """Write a line."""
        click.echo(text, err=True)

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

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def _left(status: Status) -> str:
    """How long it still takes; empty where nobody knows."""
    from gpugen.words import clock

    if status.remaining is not None:
        return f"{clock(status.remaining)} left"
    return "" if status.eta is None else f"about {clock(status.eta)} left"
