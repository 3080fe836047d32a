"""The view without a notebook: a bar on a terminal, then the files the images were saved to."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from gpugen.durable import description
from gpugen.ending import Ending
from gpugen.save import file_stem, write_new
from gpugen.status import Status
from gpugen.words import clock, headline

FOLDER = Path("gpugen-images")  # in the current folder: where somebody at a prompt looks first
_BAR = 24  # characters
_CLEAR = "\r\x1b[K"


class Terminal:
    """Text only; the bar only where a person sees it, never in a pipe or a file.

    Args:
        bar: whether to show progress at all.
    """

    def __init__(self, *, bar: bool) -> None:
        self._bar = bar and sys.stdout.isatty()
        self._line = ""
        self._saved = False

    def open(self, status: Status, *, waits: bool) -> None:
        """Show the bar, or say how to come back to the task."""
        if waits:
            self.draw(status)
        else:
            self._bar = False
            _say(f"Task {status.task.id} was sent off: %gpugen wait {status.task.id}\n")

    def draw(self, status: Status) -> None:
        """Rewrite the line if it changed."""
        line = bar_line(status, shutil.get_terminal_size().columns - 1)
        if self._bar and line != self._line:
            self._line = line
            _say(_CLEAR + line)

    def finish(self, ending: Ending) -> None:
        """Save the images and say where; an error is shown by whoever raises it."""
        if self._bar:
            _say(_CLEAR)
        if ending.pngs and not self._saved:
            self._saved = True
            _say(description(ending) + "\n")
            for path in _save(ending):
                _say(f"{path}\n")


def bar_line(status: Status, width: int) -> str:
    """Prompt, bar, sentence and time in at most `width` characters."""
    done = round(_BAR * (status.fraction or 0))
    remaining = status.remaining
    time = clock(status.elapsed) if remaining is None else f"{clock(remaining + 0.5)} left"
    bar = "#" * done + "." * (_BAR - done)
    return f"{headline(status.task.request.prompt, 30)} [{bar}] {status.sentence} {time}"[:width]


def _save(ending: Ending) -> list[Path]:
    request = ending.task.request
    return [
        write_new(FOLDER, file_stem(request.prompt, seed), png)
        for seed, png in zip(request.seeds, ending.pngs, strict=False)
    ]


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
