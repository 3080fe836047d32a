"""What the views read of a task, or of all the tasks of a grid, while they are drawn."""

from __future__ import annotations

from typing import Protocol

from gpugen.board import Board


class Shown(Protocol):
    """The latest of everything, put into words and numbers."""

    canceling: bool

    @property
    def name(self) -> str:
        """What it is waited for by: the id of a task or a group."""

    @property
    def title(self) -> str:
        """What is drawn."""

    @property
    def settings(self) -> str:
        """What it is drawn with."""

    @property
    def board(self) -> Board:
        """How the images stand."""

    @property
    def stage(self) -> int:
        """The index in `STAGES` of what is going on."""

    @property
    def sentence(self) -> str:
        """What is going on, in words."""

    @property
    def fraction(self) -> float | None:
        """How much of the drawing is done, 0 to 1; None while nothing can be said of it."""

    @property
    def remaining(self) -> float | None:
        """Seconds until the drawing is done, if that can be told."""

    @property
    def elapsed(self) -> float:
        """Seconds since it was shown first."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What somebody should know besides, the most important first."""

    @property
    def eta(self) -> float | None:
        """Seconds until it is done, as the server expects, while nothing was drawn yet."""

    def picture(self, index: int) -> bytes | None:
        """What image `index` looks like by now."""

    def is_final(self, index: int) -> bool:
        """Whether that is the image itself, not a preview."""
