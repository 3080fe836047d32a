"""What can be followed in a notebook: a task, or a grid of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Followed(Protocol):
    """What can be shown in a cell to its end: a task, or all the tasks of a grid."""

    @property
    def id(self) -> str:
        """The name it is waited for by."""

    def open(self) -> None:
        """Show it and go on; in the thread of the cell."""

    def pump(self, until: Callable[[], bool] = ...) -> bool:
        """Take events and show them until it is finished (True) or `until` says so."""

    def follow(self) -> object:
        """Show it from here to its end."""

    def conclude(self) -> object:
        """Replace the view by what stays."""
