"""A task's row, and the task as users see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gpugen_protocol.clock import rfc3339
from gpugen_protocol.errors import NotFound
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.state import TERMINAL, State
from gpugen_protocol.task import Image, Progress, Task, TaskFailure, Timings
from gpugen_server.database import Store
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import estimate, waiting
from gpugen_server.queue.place import Ahead
from gpugen_server.queue.waiting import Wait, Waiting


class Record(Struct, frozen=True):
    """The columns of `tasks` that a view is made of; times are seconds since the epoch."""

    num: int
    id: str
    owner: str
    group_name: str | None
    priority: int
    place: int
    state: State
    phase: str
    phase_text: str
    model: str
    memory: int
    request: str
    attempt: int
    max_attempts: int
    worker: str | None
    progress: str | None
    error: str | None
    retry_of: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    loading_seconds: float | None
    drawing_seconds: float | None
    last_seq: int

    @property
    def key(self) -> TaskKey:
        """What names this task."""
        return TaskKey(self.num, self.id, self.owner)


COLUMNS = ", ".join(Record.__struct_fields__)


def find(store: Store, task: str, user: str | None, *, lock: bool = False) -> Record:
    """The row of `task` if `user` may see it; None may see all. With `lock` nobody else changes it meanwhile.

    Raises:
        NotFound: there is none, or it belongs to somebody else; the two look the same.
    """
    locked = store.lock if lock else ""
    found = store.row(f"SELECT {COLUMNS} FROM tasks WHERE id = ?{locked}", task)  # noqa: S608
    record = Record(*found) if found else None
    if record is None or (user is not None and record.owner != user):
        raise NotFound(
            f"There is no task {task}.", hint="`gpugen queue --all` or `%gpugen history` lists your tasks."
        )
    return record


def show(
    store: Store,
    record: Record,
    live_after: float,
    ahead: Mapping[int, Ahead] | None = None,
    wait: Wait | None = None,
) -> Task:
    """The task as users see it.

    Workers seen since `live_after` count as there. If the caller knows already, `ahead` says what is before
    each task (by `num`, as `place.all_ahead` does), and `wait` what this one waits for.
    """
    request = msgspec.json.decode(record.request, type=ResolvedRequest)
    return Task(
        id=record.id,
        state=record.state,
        phase=record.phase,
        request=request,
        user=record.owner,
        group=record.group_name,
        priority=record.priority,
        attempt=record.attempt,
        max_attempts=record.max_attempts,
        progress=_decoded(record.progress, Progress),
        images=_images(store, record),
        error=_decoded(record.error, TaskFailure),
        retry_of=record.retry_of,
        created_at=rfc3339(record.created_at),
        started_at=_moment(record.started_at),
        finished_at=_moment(record.finished_at),
        timings=_timings(record),
        worker=record.worker,
        **_outlook(store, record, request, live_after, ahead, wait),
    )


def _outlook(
    store: Store,
    record: Record,
    request: ResolvedRequest,
    live_after: float,
    ahead: Mapping[int, Ahead] | None,
    wait: Wait | None,
) -> dict[str, Any]:
    """What is still to come: why it waits, at which place, for how long."""
    if record.state in TERMINAL:
        return {"phase_text": record.phase_text}
    if record.state == "running":
        return {"phase_text": record.phase_text, "eta_seconds": _left(store, record, request)}
    wait = wait or _wait(store, record, request, live_after, ahead)
    return {
        "phase_text": wait.text if waiting.is_plain(record.phase_text) else record.phase_text,
        "queue_position": wait.position,
        "queue_position_text": wait.place,
        "eta_seconds": wait.eta_seconds,
    }


def _left(store: Store, record: Record, request: ResolvedRequest) -> float | None:
    """Seconds until a running task is done."""
    work = request.n * request.steps
    usual = estimate.usual_seconds(store, request.model, request.width, request.height, work)
    elapsed = store.now - (record.started_at or store.now)
    return None if usual is None else round(max(0.0, usual - elapsed), 1)


def _wait(
    store: Store,
    record: Record,
    request: ResolvedRequest,
    live_after: float,
    ahead: Mapping[int, Ahead] | None,
) -> Wait:
    asked = Waiting(
        place=record.place,
        num=record.num,
        model=request.model,
        width=request.width,
        height=request.height,
        work=request.n * request.steps,
        memory=record.memory,
    )
    return waiting.why(store, asked, live_after, None if ahead is None else ahead[record.num])


def _images(store: Store, record: Record) -> tuple[Image, ...]:
    """A new attempt starts over: what an earlier one has drawn counts only if no other one follows."""
    if record.state == "queued":
        return ()
    found = store.rows(
        "SELECT idx, seed, width, height, bytes, sha256 FROM images WHERE task_num = ? AND attempt >= ?"
        " ORDER BY idx",
        record.num,
        0 if record.state in TERMINAL else record.attempt,
    )
    return tuple(
        Image(index=index, seed=seed, width=width, height=height, bytes=size, sha256=sha256)
        for index, seed, width, height, size, sha256 in found
    )


def _timings(record: Record) -> Timings:
    waited = None if record.started_at is None else record.started_at - record.created_at
    total = None if record.finished_at is None else record.finished_at - record.created_at
    return Timings(
        queued=_rounded(waited),
        loading=record.loading_seconds,
        drawing=record.drawing_seconds,
        total=_rounded(total),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _moment(value: float | None) -> str | None:
    return None if value is None else rfc3339(value)


def _decoded(text: str | None, kind: Any) -> Any:
    return None if text is None else msgspec.json.decode(text, type=kind)
