"""The event log of a task: numbers without holes, in the transaction of the change that they tell."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.clock import rfc3339
from gpugen_protocol.errors import Conflict
from gpugen_protocol.events import (
    ImageEvent,
    LiveEvent,
    LogEvent,
    LogReport,
    NumberedEvent,
    PhaseEvent,
    PhaseReport,
    PreviewEvent,
    ProgressEvent,
    ProgressReport,
    Report,
    StateEvent,
)
from gpugen_protocol.state import TERMINAL
from gpugen_server.database import Store
from gpugen_server.events.entry import Entry

_WRITE = "INSERT INTO events (task_num, seq, body) VALUES"
_READ = "SELECT seq, body FROM events WHERE task_num = ? AND seq > ? ORDER BY seq LIMIT ?"


class TaskKey(Struct, frozen=True):
    """What names a task: its number in the database, its public id, its owner."""

    num: int
    id: str
    user: str


def append(store: Store, task: TaskKey, kind: type[NumberedEvent], **fields: Any) -> None:
    """Write the next numbered event of `task`; it is told to watchers after the commit.

    Raises:
        Conflict: the task's terminal event is written already.
    """
    ends = kind is StateEvent and fields["state"] in TERMINAL
    seq = store.value(
        "UPDATE tasks SET last_seq = last_seq + 1, closed = ? WHERE num = ? AND closed = 0"
        " RETURNING last_seq",
        int(ends),
        task.num,
    )
    if seq is None:
        raise Conflict(f"Task {task.id} is finished; nothing can be added to its events.")
    write(store, task, kind(task=task.id, at=store.at, seq=seq, **fields))


def write(store: Store, task: TaskKey, event: NumberedEvent) -> None:
    """Write an event of `task`, for whoever took its number with the change that it tells."""
    body = wire.encode(event)
    state = event.state if isinstance(event, StateEvent) else None
    store.add_later(_WRITE, task.num, event.seq, body)
    store.outbox.append(Entry(task.id, task.user, event.seq, _tag(type(event)), body, state))


def append_report(store: Store, task: TaskKey, report: PhaseReport | LogReport) -> None:
    """Write a worker's report as the next numbered event."""
    kind = PhaseEvent if isinstance(report, PhaseReport) else LogEvent
    append(store, task, kind, **msgspec.structs.asdict(report))


def live(task: TaskKey, report: Report, now: float) -> Entry:
    """What watchers are told without a number and without storing it; `now` in seconds since the epoch."""
    kind: type[LiveEvent] = ProgressEvent if isinstance(report, ProgressReport) else PreviewEvent
    body = wire.encode(kind(task=task.id, at=rfc3339(now), **msgspec.structs.asdict(report)))
    return Entry(task.id, task.user, 0, _tag(kind), body)


def read(store: Store, num: int, after: int, limit: int = 2**31 - 1) -> list[tuple[int, bytes]]:
    """The numbered events after number `after`: (seq, JSON), in order."""
    return [(seq, bytes(body)) for seq, body in store.rows(_READ, num, after, limit)]


def _tag(kind: type[NumberedEvent] | type[LiveEvent] | type[ImageEvent]) -> str:
    return str(kind.__struct_config__.tag)
