"""The view without a notebook: a bar on a terminal, then the files of the images, and the images."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from gpugen import inline
from gpugen.durable import description
from gpugen.ending import Ending, SweepEnding
from gpugen.save import file_stem, write_new
from gpugen.shown import Shown
from gpugen.words import clock

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

    def open(self, status: Shown, *, waits: bool) -> None:
        """Show the bar, or say how to come back to the task."""
        if waits:
            self.draw(status)
        else:
            self._bar = False
            _say(f"{status.name} was sent off: %gpugen wait {status.name}\n")

    def draw(self, status: Shown) -> None:
        """Rewrite the line if it changed."""
        line = bar_line(status, shutil.get_terminal_size().columns - 1)
        if self._bar and line != self._line:
            self._line = line
            _say(_CLEAR + line)

    def finish(self, ending: Ending | SweepEnding) -> None:
        """Save the images, say where, and show them where the terminal can. Errors are for others to show."""
        if self._bar:
            _say(_CLEAR)
        if self._saved:
            return
        self._saved = True
        for each in (ending,) if isinstance(ending, Ending) else ending.members:
            if each.pngs:
                _keep(each)


def bar_line(status: Shown, width: int) -> str:
    """Prompt, bar, sentence and time in at most `width` characters."""
    done = round(_BAR * (status.fraction or 0))
    remaining = status.remaining
    time = clock(status.elapsed) if remaining is None else f"{clock(remaining + 0.5)} left"
    bar = "#" * done + "." * (_BAR - done)
    title = status.title if len(status.title) <= 30 else f"{status.title[:29].rstrip()}…"
    return f"{title} [{bar}] {status.sentence} {time}"[:width]


def _keep(ending: Ending) -> None:
    _say(description(ending) + "\n")
    request = ending.task.request
    for seed, png in zip(request.seeds, ending.pngs, strict=False):
        path = write_new(FOLDER, file_stem(request.prompt, seed), png)
        _say(f"{path}\n")
        if ending.embed != "none":
            inline.show(png)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
