"""What is known of a task while it is drawn, kept up to date by its events; every view reads from it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

from msgspec.structs import replace

from gpugen.board import Board, of_request
from gpugen.words import headline, settings
from gpugen_protocol.errors import GpugenError
from gpugen_protocol.events import (
    Event,
    ImageEvent,
    LogEvent,
    NoticeEvent,
    PhaseEvent,
    PreviewEvent,
    ProgressEvent,
    SnapshotEvent,
    StateEvent,
)
from gpugen_protocol.state import TERMINAL, State
from gpugen_protocol.task import Task

STAGES = ("queued", "worker", "model", "drawing")
_STAGE_OF = {"queued": 0, "starting": 1, "loading": 2}  # every other phase is the last stage
_DEGRADED = {"live_updates_degraded", "connection_lost"}  # notices: of the server, of our own websocket
_SENTENCES = {
    "queued": "Waiting for a worker",
    "starting": "Starting a worker",
    "loading": "Loading the model",
    "drawing": "Drawing",
    "decoding": "Finishing the picture",
    "uploading": "Handing the picture over",
    "canceling": "Stopping",
    "done": "Done",
}


class Status:
    """The latest of everything. Times are seconds on `clock`.

    Attributes:
        task: the task as the server last described it.
        previews: what unfinished images look like, small, by index.
        images: the PNG bytes of finished images by index; whoever fetches them puts them here.
        canceling: somebody here asked for it to stop.
        warnings: what the worker warned of, such as words of the prompt that it cannot read; each once.
        degraded: a sentence if live updates do not come through; progress then arrives late.
    """

    def __init__(self, task: Task, clock: Callable[[], float] = time.monotonic) -> None:
        self.task = task
        self.phase: str = task.phase
        self.text = task.phase_text
        self.state = task.state
        self.progress: ProgressEvent | None = None
        self.previews: dict[int, bytes] = {}
        self.images: dict[int, bytes] = {}
        self.announced: set[int] = set()
        self.canceling = False
        self.warnings: list[str] = []
        self.degraded = ""
        self.failure: GpugenError | None = None
        self._clock = clock
        self._started = clock()
        self._expected_at = self._started  # when the server last said how long it will take
        self._drawing_since: float | None = None
        self._seen = 0  # the number up to which the last snapshot tells everything

    def apply(self, event: Event) -> None:
        """Take in `event`; one that the last snapshot contains already is old news."""
        if isinstance(event, LogEvent):
            self._warn(event)  # no snapshot tells of it
        elif isinstance(event, SnapshotEvent):
            self._seen = event.seq
            self._take(event.data)
        elif getattr(event, "seq", self._seen + 1) > self._seen:
            self._take_news(event)

    def _take_news(self, event: Event) -> None:
        match event:
            case StateEvent():
                self._change(event.state)
            case PhaseEvent():
                self._enter(event.phase, event.text)
                self._expect(event)
            case ProgressEvent():
                self._advance(event)
            case PreviewEvent():
                self.previews[event.image] = base64.b64decode(event.data)
            case ImageEvent():
                self._announce(event.index)
            case NoticeEvent():
                self.degraded = event.message if event.code in _DEGRADED else ""

    def _warn(self, event: LogEvent) -> None:
        if event.level in {"warning", "error"} and event.message not in self.warnings:
            self.warnings.append(event.message)

    def _change(self, state: State) -> None:
        if state not in TERMINAL:
            self._forget_images()
        self.state = state

    def _forget_images(self) -> None:
        """Another attempt starts over: what an earlier one has drawn is void."""
        self.announced.clear()
        self.images.clear()

    def _take(self, task: Task) -> None:
        if task.attempt > max(1, self.task.attempt):
            self._forget_images()
        self.task, self.state, self._expected_at = task, task.state, self._clock()
        self._enter(task.phase, task.phase_text)
        for image in task.images:
            self._announce(image.index)

    def _enter(self, phase: str, text: str) -> None:
        if phase == "queued":  # also when another worker has to start over
            self.progress, self._drawing_since = None, None
            self.previews.clear()
        self.phase, self.text = phase, text

    def _expect(self, phase: PhaseEvent) -> None:
        """Take over how long it waits, where the phase says so."""
        if "eta_seconds" in phase.data:
            place, eta = phase.data.get("position"), phase.data["eta_seconds"]
            self.task = replace(self.task, queue_position=place, eta_seconds=eta)
            self._expected_at = self._clock()

    def _advance(self, progress: ProgressEvent) -> None:
        self._drawing_since = self._drawing_since or self._clock()
        self.progress, self.degraded = progress, ""
        if self.phase != "canceling" and progress.step < progress.steps:
            self.phase = "drawing"  # of the next image, after one was handed over

    def _announce(self, index: int) -> None:
        self.announced.add(index)
        self.previews.pop(index, None)

    @property
    def name(self) -> str:
        """The task's id."""
        return self.task.id

    @property
    def title(self) -> str:
        """The prompt on one line."""
        return headline(self.task.request.prompt)

    @property
    def settings(self) -> str:
        """What it is drawn with."""
        return settings(self.task.request)

    @property
    def board(self) -> Board:
        """An image a seed."""
        return of_request(self.task.request)

    @property
    def notes(self) -> tuple[str, ...]:
        """That live updates are late, and what the worker warned of, the latest first."""
        return tuple(filter(None, (self.degraded, *reversed(self.warnings))))

    @property
    def now(self) -> float:
        """The time on the clock of this status."""
        return self._clock()

    @property
    def drawing_since(self) -> float | None:
        """When the first step was heard of."""
        return self._drawing_since

    def picture(self, index: int) -> bytes | None:
        """What image `index` looks like by now."""
        return self.images.get(index) or self.previews.get(index)

    def is_final(self, index: int) -> bool:
        """Whether that is the image itself, not a preview."""
        return index in self.images

    @property
    def eta(self) -> float | None:
        """Seconds until it is done, as the server expects, while nothing was drawn yet."""
        if self.task.eta_seconds is None or self.fraction is not None:
            return None
        return max(0.0, self.task.eta_seconds - (self._clock() - self._expected_at))

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in TERMINAL

    @property
    def elapsed(self) -> float:
        """Seconds since it was shown first."""
        return self._clock() - self._started

    @property
    def stage(self) -> int:
        """The index in `STAGES` of what is going on."""
        if self.phase == "canceling" and self.progress is None:
            return 0
        return _STAGE_OF.get(self.phase, len(STAGES) - 1)

    @property
    def fraction(self) -> float | None:
        """How much of the drawing is done, 0 to 1; None while nothing can be said of it."""
        if self.progress is None:
            return None
        steps = self.progress.steps * self.task.request.n
        done = len(self.announced) * self.progress.steps if self._handed_over else self._steps_done
        return min(1.0, done / steps)

    @property
    def remaining(self) -> float | None:
        """Seconds until the drawing is done, if that can be told."""
        if self.progress is None or self.fraction is None or self._drawing_since is None:
            return None
        pace = self.progress.seconds_per_step
        if pace is None:
            return None
        steps = self.progress.steps * self.task.request.n
        return (1 - self.fraction) * steps * pace

    @property
    def sentence(self) -> str:
        """What is going on, in words."""
        if self.canceling or self.phase == "canceling":
            return _SENTENCES["canceling"]
        if self.phase == "drawing" and self.progress is not None and not self._handed_over:
            return self._step_sentence()
        return self.text[:1].upper() + self.text[1:] or self._waiting_sentence()

    def _waiting_sentence(self) -> str:
        ahead = self.task.queue_position
        if self.phase == "queued" and ahead:
            return f"{_SENTENCES['queued']} (number {ahead} in line)"
        return _SENTENCES.get(self.phase, self.phase)

    def _step_sentence(self) -> str:
        assert self.progress is not None
        n = self.task.request.n
        which = f"Image {self._images_before + 1} of {n}, step" if n > 1 else "Step"
        words = f"{which} {self.progress.step} of {self.progress.steps}"
        pace = self.progress.seconds_per_step
        return f"{words} · {pace:.2g} s a step" if pace else words

    @property
    def _handed_over(self) -> bool:
        """Whether the last progress is that of an image which is finished by now."""
        return self.progress is not None and self.progress.image in self.announced

    @property
    def _steps_done(self) -> int:
        assert self.progress is not None
        return self._images_before * self.progress.steps + self.progress.step

    @property
    def _images_before(self) -> int:
        assert self.progress is not None
        return max(self.progress.image, min(len(self.announced), self.task.request.n - 1))
