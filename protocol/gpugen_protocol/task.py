"""What the server knows of a task, as users see it."""

from __future__ import annotations

from msgspec import Struct

from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.state import TERMINAL, State


class Progress(Struct, frozen=True, kw_only=True):
    """Where a running task stands: image `image` (from 0) is at step `step` of `steps`."""

    image: int
    step: int
    steps: int
    seconds_per_step: float | None = None


class Image(Struct, frozen=True, kw_only=True):
    """A finished image: its bytes are at `/api/v1/tasks/{task}/images/{index}`."""

    index: int
    seed: int
    width: int
    height: int
    bytes: int
    sha256: str


class Input(Struct, frozen=True, kw_only=True):
    """An image that tasks may start from, as the server keeps it."""

    id: str
    width: int
    height: int
    bytes: int
    sha256: str


class TaskFailure(Struct, frozen=True, kw_only=True):
    """Why a task failed: a stable code, one sentence, what to do next."""

    code: str
    message: str
    hint: str = ""


class Timings(Struct, frozen=True, kw_only=True):
    """Seconds a task spent in each part of its life; null where it has not been there."""

    queued: float | None = None
    loading: float | None = None
    drawing: float | None = None
    total: float | None = None


class Task(Struct, frozen=True, kw_only=True):
    """A task as the API answers with it. Times are RFC 3339 in UTC."""

    id: str
    state: State
    phase: str
    phase_text: str = ""
    request: ResolvedRequest
    user: str
    group: str | None = None
    priority: int = 0
    attempt: int = 0
    max_attempts: int = 3
    queue_position: int | None = None
    queue_position_text: str = ""
    eta_seconds: float | None = None
    progress: Progress | None = None
    images: tuple[Image, ...] = ()
    error: TaskFailure | None = None
    retry_of: str | None = None
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    timings: Timings = Timings()
    worker: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the task is in a state that never changes."""
        return self.state in TERMINAL


class Group(Struct, frozen=True, kw_only=True):
    """Tasks that were submitted under one group name, as one.

    Attributes:
        tasks: how many are in which state.
        fraction: how much of their work is done, 0 to 1; what failed or was canceled counts as done.
        images: how many are finished, over all tasks.
    """

    id: str
    tasks: dict[str, int]
    total: int
    finished: bool
    fraction: float
    images: int = 0
    eta_seconds: float | None = None
    created_at: str
    finished_at: str | None = None


class TaskPage(Struct, frozen=True, kw_only=True):
    """One page of a listing, newest first."""

    tasks: tuple[Task, ...]
    next_cursor: str | None = None
