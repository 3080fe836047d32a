"""The messages sent to whoever watches a task.

Numbered events (`state phase image log`) carry `seq` 1, 2, 3 ... within their task, without holes; they are
stored before the server answers and replayed after any reconnect. Unnumbered ones (`progress preview`) are
live only: they may be merged or dropped. A `snapshot` opens every subscription; its `seq` is the last number
it already contains. A terminal `state` is the last event of its task.

Reports are what a worker sends: the same messages before the server has put task, number and time on them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from gpugen_protocol.state import State
from gpugen_protocol.task import Task, TaskFailure

Phase = Literal["queued", "starting", "loading", "drawing", "decoding", "uploading", "canceling", "done"]
PHASES: tuple[Phase, ...] = get_args(Phase)
LogLevel = Literal["debug", "info", "warning", "error"]

MAX_TEXT = 1000  # characters of a phase's or a log line's text
MAX_PREVIEW = 24_000  # base64 characters: a JPEG of 16 KB and some air

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
# A worker may say anything: whoever shows it must be able to count with it, and to keep it.
Number = Annotated[int, Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Fact = bool | Whole | float | Annotated[str, Meta(max_length=200)] | None
Facts = Annotated[dict[Annotated[str, Meta(max_length=40)], Fact], Meta(max_length=20)]
Base64 = Annotated[
    str,
    Meta(
        max_length=MAX_PREVIEW,
        pattern=r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?(?!\n)$",
    ),
]


class PhaseReport(Struct, frozen=True, kw_only=True, tag="phase"):
    """The task entered a phase of its life; `text` says so in words, `data` in numbers."""

    phase: Phase
    text: Text = ""
    data: Facts = {}


class LogReport(Struct, frozen=True, kw_only=True, tag="log"):
    """A line of the worker's log about this task."""

    level: LogLevel = "info"
    message: Text


class ProgressReport(Struct, frozen=True, kw_only=True, tag="progress"):
    """Image `image` is at step `step` of `steps`."""

    image: Number
    step: Number
    steps: Annotated[int, Meta(ge=1, le=1_000_000)]
    seconds_per_step: Seconds | None = None


class PreviewReport(Struct, frozen=True, kw_only=True, tag="preview"):
    """What image `image` looks like after step `step`: a small picture in base64."""

    image: Number
    step: Number
    mime: Literal["image/jpeg", "image/png", "image/webp"] = "image/jpeg"
    data: Base64


Report = PhaseReport | LogReport | ProgressReport | PreviewReport


class StateEvent(Struct, frozen=True, kw_only=True, tag="state"):
    """The task moved to another state."""

    task: str
    at: str
    seq: int
    state: State
    error: TaskFailure | None = None


class PhaseEvent(PhaseReport, frozen=True, kw_only=True, tag="phase"):
    """A numbered `phase`; in those of the server `data` may hold more than facts."""

    task: str
    at: str
    seq: int
    data: dict[str, Any] = {}


class ImageEvent(Struct, frozen=True, kw_only=True, tag="image"):
    """Image `index` is finished and can be fetched."""

    task: str
    at: str
    seq: int
    index: int
    sha256: str
    seed: int


class LogEvent(LogReport, frozen=True, kw_only=True, tag="log"):
    """A numbered `log`."""

    task: str
    at: str
    seq: int


class ProgressEvent(ProgressReport, frozen=True, kw_only=True, tag="progress"):
    """A live `progress`."""

    task: str
    at: str


class PreviewEvent(PreviewReport, frozen=True, kw_only=True, tag="preview"):
    """A live `preview`."""

    task: str
    at: str


class SnapshotEvent(Struct, frozen=True, kw_only=True, tag="snapshot"):
    """The task as it is now; every numbered event up to `seq` is contained in it."""

    task: str
    at: str
    seq: int
    data: Task


class GapEvent(Struct, frozen=True, kw_only=True, tag="gap"):
    """Events up to and including `until` were pruned; a snapshot follows."""

    task: str
    at: str
    until: int


class NoticeEvent(Struct, frozen=True, kw_only=True, tag="notice"):
    """Something about the connection itself, such as `live_updates_degraded`; not about one task."""

    at: str
    code: str
    message: str


NumberedEvent = StateEvent | PhaseEvent | ImageEvent | LogEvent
LiveEvent = ProgressEvent | PreviewEvent
Event = NumberedEvent | LiveEvent | SnapshotEvent | GapEvent | NoticeEvent


class EventPage(Struct, frozen=True, kw_only=True):
    """The answer to a poll: numbered events after the asked one, and the last number there is."""

    events: tuple[NumberedEvent, ...]
    last_seq: int


class Subscription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which task (`*`: all that the token may see) to follow, from which number on."""

    task: str
    after: int | dict[str, int] = 0


class SocketCommand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client may say on the websocket."""

    subscribe: Subscription | None = None
    unsubscribe: Subscription | None = None
