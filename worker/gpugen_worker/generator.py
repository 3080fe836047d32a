"""What drawing means: the seam between the loop and whatever makes the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gpugen_protocol.events import LogLevel, Phase
from gpugen_protocol.failures import FailureCode
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.worker import Failure
from gpugen_worker.text import sendable

if TYPE_CHECKING:
    from PIL.Image import Image


class Interrupted(Exception):
    """The task must stop at once: it was canceled, given back, or is not ours any more."""


class DrawingFailed(Exception):
    """The task cannot be drawn.

    Args:
        failure: the stable code that users see.
        message: one sentence.
        hint: what to do next.
        retryable: whether another attempt may succeed.
    """

    def __init__(
        self, failure: FailureCode, message: str, *, hint: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.message = message
        self.hint = hint
        self.retryable = retryable

    def report(self) -> Failure:
        """The same for the server, cut to what it accepts."""
        return Failure(
            code=self.failure,
            message=sendable(self.message, 2000),
            hint=sendable(self.hint, 500),
            retryable=self.retryable,
        )


@dataclass(frozen=True)
class Start:
    """What a drawing starts from instead of bare noise; `mask` is white where it may draw."""

    image: Image | None = None
    mask: Image | None = None


NOISE = Start()
_REVISION = "gpugen revision"  # where it is noted in an image's `info`


def note_revision(image: Image, revision: str) -> Image:
    """`image` with a note which weights have drawn it."""
    image.info[_REVISION] = revision
    return image


def revision_of(image: Image) -> str:
    """Which weights have drawn it; empty where that is not known."""
    return str(image.info.get(_REVISION, ""))


class Observer(Protocol):
    """Who follows a drawing. Every method returns at once.

    Only the drawing thread calls them; `check` and `phase` also the threads of its downloads.
    """

    @property
    def wants_preview(self) -> bool:
        """Whether a preview made now would be looked at."""

    def check(self) -> None:
        """Raises Interrupted where the task must stop."""

    def phase(self, phase: Phase, text: str = "", **data: Any) -> None:
        """The drawing entered `phase`."""

    def log(self, level: LogLevel, message: str) -> None:
        """Something the user should know."""

    def step(self, image: int, step: int, steps: int, seconds_per_step: float) -> None:
        """Step `step` of `steps` of image `image` is done. Raises Interrupted where the task must stop."""

    def preview(self, image: int, step: int, jpeg: bytes, seconds: float = 0.0) -> None:
        """What the image looks like after that step; it took `seconds` to make."""


class Generator(Protocol):
    """Draws requests."""

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models it can draw with."""

    @property
    def loaded(self) -> tuple[str, ...]:
        """Those that are in memory, the last used one last."""

    def draw(self, request: ResolvedRequest, observer: Observer, start: Start = NOISE) -> Iterator[Image]:
        """The images of `request` in order, each as soon as it is ready.

        Image k is drawn from the noise of seed + k: it is the image that seed gives alone.

        Raises:
            DrawingFailed: it cannot be drawn.
            Interrupted: `observer` said so.
        """
