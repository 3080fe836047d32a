"""The views of a kernel that need no widgets: outputs that are replaced in place."""

from __future__ import annotations

import time
from typing import ClassVar

from IPython.display import DisplayHandle, display

from gpugen import markup
from gpugen.durable import EMPTY, Output, outputs_of, pending_output
from gpugen.ending import Ending
from gpugen.status import Status
from gpugen.words import headline, settings

_INTERVAL = 0.5  # seconds between two updates


class SilentCard:
    """Shows nothing until the end; the other views of a kernel end as this one does.

    A front end knows a display by its id, whatever cell runs by then: so `finish` works from any thread.
    """

    def __init__(self) -> None:
        self._main: DisplayHandle | None = None
        self._words: DisplayHandle | None = None

    def open(self, status: Status, *, waits: bool) -> None:
        """Take the two places in the cell's output, if the cell will be over before the task is."""
        if not waits:
            self._main = self._main or _show(EMPTY)
            self._words = _show(pending_output(status.task))

    def draw(self, status: Status) -> None:
        """Nothing."""

    def finish(self, ending: Ending) -> None:
        """Put the picture where the card was, and the words under it."""
        picture, words = outputs_of(ending)
        self._main = _put(self._main, picture)
        if words is not None or self._words is not None:
            self._words = _put(self._words, words or EMPTY)


class PlainCard(SilentCard):
    """The card as plain HTML, for a kernel without ipywidgets."""

    _hinted: ClassVar[bool] = False

    def __init__(self, *, hint: bool = False) -> None:
        super().__init__()
        self._hint = hint and not PlainCard._hinted
        self._drawn_at = 0.0

    def open(self, status: Status, *, waits: bool) -> None:
        """Show the card."""
        if self._hint:
            PlainCard._hinted = True
            print("A live preview and a cancel button need ipywidgets: pip install ipywidgets")  # noqa: T201
        self._main = _show(_card(status))
        super().open(status, waits=waits)

    def draw(self, status: Status) -> None:
        """Show where it stands, at most twice a second."""
        now = time.monotonic()
        if now - self._drawn_at >= _INTERVAL:
            self._drawn_at = now
            self._main = _put(self._main, _card(status))


def _card(status: Status) -> Output:
    inner = markup.head(status) + markup.state(status) + markup.bar(status.fraction) + markup.note(status)
    request = status.task.request
    words = f"{headline(request.prompt)}\n{settings(request)}\n{status.sentence}"
    return Output(
        {"text/html": f'{markup.style()}<div class="gpugen-card">{inner}</div>', "text/plain": words}
    )


def _show(output: Output) -> DisplayHandle:
    handle = display(dict(output.data), metadata=dict(output.metadata), raw=True, display_id=True)
    assert handle is not None
    return handle


def _put(handle: DisplayHandle | None, output: Output) -> DisplayHandle:
    if handle is None:
        return _show(output)
    handle.update(dict(output.data), metadata=dict(output.metadata), raw=True)
    return handle
