"""The views of a kernel that need no widgets: outputs that are replaced in place."""

from __future__ import annotations

import time
from typing import ClassVar

from IPython.display import DisplayHandle, display

from gpugen import markup
from gpugen.durable import EMPTY, Output, pending_output
from gpugen.ending import Ending, SweepEnding
from gpugen.kept import outputs
from gpugen.shown import Shown

_INTERVAL = 0.5  # seconds between two updates


class NoView:
    """Shows nothing at all: of a task that is part of a grid."""

    def open(self, status: Shown, *, waits: bool) -> None:
        """Nothing."""

    def draw(self, status: Shown) -> None:
        """Nothing."""

    def finish(self, ending: Ending | SweepEnding) -> None:
        """Nothing."""


class SilentCard:
    """Shows nothing until the end; the other views of a kernel end as this one does.

    A front end knows a display by its id, whatever cell runs by then: so `finish` works from any thread.
    """

    def __init__(self) -> None:
        self._main: DisplayHandle | None = None
        self._words: DisplayHandle | None = None
        self._reminder: DisplayHandle | None = None

    def open(self, status: Shown, *, waits: bool) -> None:
        """Take the places in the cell's output, if the cell will be over before the task is."""
        if not waits:
            self._main = self._main or show(EMPTY)
            self._words = self._words or show(EMPTY)
            self._reminder = show(pending_output(status.name))

    def draw(self, status: Shown) -> None:
        """Nothing."""

    def finish(self, ending: Ending | SweepEnding) -> None:
        """Put the picture where the card was, and the words under it."""
        picture, words = outputs(ending)
        self._main = put(self._main, picture)
        if words is not None or self._words is not None:
            self._words = put(self._words, words or EMPTY)
        if self._reminder is not None:
            put(self._reminder, EMPTY)


class PlainCard(SilentCard):
    """The card as plain HTML, for a kernel without ipywidgets."""

    _hinted: ClassVar[bool] = False

    def __init__(self, *, hint: bool = False) -> None:
        super().__init__()
        self._hint = hint and not PlainCard._hinted
        self._drawn_at = 0.0

    def open(self, status: Shown, *, waits: bool) -> None:
        """Show the card."""
        if self._hint:
            PlainCard._hinted = True
            print("A live preview and a cancel button need ipywidgets: pip install ipywidgets")  # noqa: T201
        self._main = show(_card(status))
        super().open(status, waits=waits)

    def draw(self, status: Shown) -> None:
        """Show where it stands, at most twice a second."""
        now = time.monotonic()
        if now - self._drawn_at >= _INTERVAL:
            self._drawn_at = now
            self._main = put(self._main, _card(status))


def _card(status: Shown) -> Output:
    inner = markup.head(status) + markup.state(status) + markup.bar(status.fraction) + markup.note(status)
    words = f"{status.title}\n{status.settings}\n{status.sentence}"
    return Output(
        {"text/html": f'{markup.style()}<div class="gpugen-card">{inner}</div>', "text/plain": words}
    )


def show(output: Output) -> DisplayHandle:
    """Display it at a new place; gives the handle of the place."""
    handle = display(dict(output.data), metadata=dict(output.metadata), raw=True, display_id=True)
    assert handle is not None
    return handle


def put(handle: DisplayHandle | None, output: Output) -> DisplayHandle:
    """Display it at the place of `handle`, or at a new one."""
    if handle is None:
        return show(output)
    handle.update(dict(output.data), metadata=dict(output.metadata), raw=True)
    return handle
