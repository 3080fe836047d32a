"""What a view is, and which one suits the place and the wish."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

from IPython.core.error import UsageError

from gpugen.ending import Ending, SweepEnding
from gpugen.options import ProgressKind
from gpugen.shown import Shown


class View(Protocol):
    """Shows one task from its start to its end.

    `open` is called in the thread of the cell; `draw` and `finish` by one thread at a time, not always
    that one; `finish` perhaps twice.
    """

    def open(self, status: Shown, *, waits: bool) -> None:
        """Show the task; `waits`: the cell goes on until the end."""

    def draw(self, status: Shown) -> None:
        """Show where it stands now; called often, so a view that sends messages holds itself back."""

    def finish(self, ending: Ending | SweepEnding) -> None:
        """Leave behind what is to stay."""


def view_for(kind: ProgressKind, *, kernel: bool, cancel: Callable[[], None]) -> View:
    """The view for a shell with or without a `kernel`; `cancel` may be called from any thread.

    Raises:
        UsageError: `widget` was asked for and cannot be had.
    """
    if not kernel:
        return _terminal_view(kind)
    if kind == "widget" and not _has_widgets():
        raise UsageError("--progress widget needs ipywidgets. Run: pip install ipywidgets")
    if kind == "widget" or (kind == "auto" and _has_widgets()):
        from gpugen.card import Card

        return Card(cancel)
    from gpugen.plain_card import PlainCard, SilentCard

    return SilentCard() if kind == "none" else PlainCard(hint=kind == "auto")


def _terminal_view(kind: ProgressKind) -> View:
    from gpugen.terminal import Terminal

    if kind == "widget":
        raise UsageError("--progress widget needs a notebook; here it is text or none.")
    return Terminal(bar=kind != "none")


def _has_widgets() -> bool:
    return find_spec("ipywidgets") is not None
