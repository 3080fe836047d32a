"""Workers' sessions: who is there, what each can draw, when it was last heard of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.clock import rfc3339
from gpugen_protocol.worker import SessionRequest, Worker
from gpugen_server.database import Store
from gpugen_server.database.tables import WorkerRow
from gpugen_server.queue import foreign, ids

SHOWN_SECONDS = 3600.0  # how long a worker that left is still listed
KEPT_SECONDS = 7 * 86400.0  # how long it is still known
_LARGEST = 2**63 - 1  # what a column can hold
_names = msgspec.json.Decoder(tuple[str, ...]).decode

ABILITY = "models, memory_bytes, max_pixels, set_aside_until, draining, seen_at"
_LIVE = """
SELECT id, models, owner, memory_bytes, max_pixels, name, set_aside_until FROM workers
WHERE seen_at > ? AND draining = 0
"""
MOST_FAILURES = 3  # in a row; then a worker is set aside
_ASIDE_SECONDS = 60.0  # for the first time; twice as long after each further failure
_LONGEST_ASIDE = 1800.0
_NOT_ITS_FAULT = frozenset({"canceled", "not_supported"})
_FORMERLY = """
SELECT failures, failed_task, set_aside_until FROM workers
WHERE seen_at > ? AND owner = ? AND name = ? ORDER BY id DESC LIMIT 1
"""


class Ability(Struct, frozen=True):
    """What a worker can be given.

    Attributes:
        models: empty: any.
        memory_bytes, max_pixels: 0: any amount.
        aside_until: it gets nothing before; None: it may have work.
        draining: it gets nothing any more.
    """

    models: tuple[str, ...] = ()
    memory_bytes: int = 0
    max_pixels: int = 0
    aside_until: float | None = None
    draining: bool = False

    def set_aside(self, now: float) -> bool:
        """Whether it must wait, for it failed too often, or is to leave."""
        return self.draining or (self.aside_until is not None and now < self.aside_until)

    def fits(self, models: tuple[str, ...]) -> tuple[str, tuple[Any, ...]]:
        """The condition on tasks that it can serve with `models` (empty: any), and its parameters."""
        condition, needs = "", []
        if self.memory_bytes:
            condition += " AND memory <= ?"
            needs.append(self.memory_bytes)
        if self.max_pixels:
            condition += " AND width * height <= ?"
            needs.append(self.max_pixels)
        if models:
            condition += f" AND model IN ({', '.join('?' * len(models))})"
        return condition, (*needs, *models)


class LiveWorker(Struct, frozen=True):
    """A worker that was heard of lately. `owner` is its token's user, the rest as in Ability."""

    id: str
    models: tuple[str, ...]
    owner: str = ""
    memory_bytes: int = 0
    max_pixels: int = 0
    name: str = ""
    aside_until: float | None = None

    def serves(self, model: str, memory: int = 0, pixels: int = 0) -> bool:
        """Whether it can draw with `model`, and something that needs so many bytes and has so many pixels."""
        has_room = not self.memory_bytes or memory <= self.memory_bytes
        may = not self.max_pixels or pixels <= self.max_pixels
        return has_room and may and (not self.models or model in self.models)

    def is_aside(self, now: float) -> bool:
        """Whether it gets nothing for a while, for it failed too often."""
        return self.aside_until is not None and now < self.aside_until


def register(store: Store, request: SessionRequest, user: str) -> str:
    """Note a new worker, forget those long gone; gives its id.

    What one of that name and user failed at before is held against it: it may have crashed and come back.
    """
    store.change("DELETE FROM workers WHERE seen_at < ?", store.now - KEPT_SECONDS)
    worker, name = ids.ulid(), foreign.line(request.name)
    formerly = store.row(_FORMERLY, store.now - SHOWN_SECONDS, user, name)
    failures, failed_task, aside = formerly or (0, None, None)
    WorkerRow.insert(
        id=worker,
        name=name,
        models=wire.encode(request.models).decode(),
        memory_bytes=min(request.memory_bytes, _LARGEST),
        max_pixels=min(request.max_pixels, _LARGEST),
        device=foreign.line(request.device),
        version=foreign.line(request.version),
        libraries=wire.encode(_clean(request.libraries)).decode(),
        owner=user,
        started_at=store.now,
        seen_at=store.now,
        failures=failures,
        failed_task=failed_task,
        set_aside_until=aside,
    ).execute(store.database)
    return worker


def _clean(libraries: dict[str, str]) -> dict[str, str]:
    return {foreign.line(name): foreign.line(version) for name, version in libraries.items()}


def reported(store: Store, worker: str) -> dict[str, str]:
    """What `worker` said of itself: its device, and its libraries with their versions."""
    found = store.row("SELECT device, libraries FROM workers WHERE id = ?", worker)
    if found is None:
        return {}
    device, libraries = found
    return {"device": device, **msgspec.json.decode(libraries, type=dict[str, str])}


def touch(store: Store, worker: str) -> None:
    """Note that `worker` is alive; not more often than once a second, for each note is a write."""
    store.change(
        "UPDATE workers SET seen_at = ? WHERE id = ? AND seen_at < ?",
        store.now,
        worker,
        store.now - 1.0,
    )


def known(store: Store, worker: str, row: Sequence[Any]) -> Ability:
    """What `worker` can be given, by its columns ABILITY (all null: nobody knows it). It was heard of now,
    which is noted.
    """
    models, memory, pixels, aside, draining, seen_at = row
    if models is None:
        return Ability()
    if seen_at < store.now - 1.0:
        touch(store, worker)
    return Ability(_names(models), memory, pixels, aside, bool(draining))


def drain(store: Store, worker: str) -> None:
    """`worker` gets no more tasks."""
    store.change("UPDATE workers SET draining = 1 WHERE id = ?", worker)


def is_busy(store: Store, worker: str) -> bool:
    """Whether `worker` holds a task."""
    return bool(
        store.value("SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'running' AND worker = ?)", worker)
    )


def forgive(store: Store, worker: str) -> None:
    """What `worker` failed at is forgotten."""
    store.change(
        "UPDATE workers SET failures = 0, failed_task = NULL, set_aside_until = NULL WHERE id = ?", worker
    )


def note_failure(store: Store, worker: str, task: int, code: str) -> None:
    """An attempt of `worker` at `task` failed; after MOST_FAILURES tasks in a row it is set aside.

    `code` is what it said, `lost` if it said nothing more.
    One task that fails again and again says nothing about the worker: it counts once.
    """
    if code in _NOT_ITS_FAULT:
        return
    failures = store.value(
        "UPDATE workers SET failures = failures + 1, failed_task = ?"
        " WHERE id = ? AND (failed_task IS NULL OR failed_task <> ?) RETURNING failures",
        task,
        worker,
        task,
    )
    if failures is not None and failures >= MOST_FAILURES:
        pause = min(_LONGEST_ASIDE, _ASIDE_SECONDS * 2.0 ** (failures - MOST_FAILURES))
        store.change("UPDATE workers SET set_aside_until = ? WHERE id = ?", store.now + pause, worker)


def live(store: Store, live_after: float) -> list[LiveWorker]:
    """The workers seen since `live_after` (seconds since the epoch) that are not about to leave."""
    found = store.once(_LIVE, live_after)
    return [LiveWorker(id, _names(models), *rest) for id, models, *rest in found]


def listing(store: Store, live_after: float, user: str | None) -> list[Worker]:
    """Every worker seen within the last hour, the newest first, as `user` may see it (None: all of it)."""
    running = store.rows("SELECT worker, id, owner FROM tasks WHERE state = 'running'")
    busy = {worker: task if user in (None, owner) else "" for worker, task, owner in running}
    query = (
        WorkerRow.select()
        .where(WorkerRow.seen_at > store.now - SHOWN_SECONDS)
        .order_by(WorkerRow.id.desc())
        .limit(1000)
    )
    return [_view(row, busy.get(row.id), live_after, store.now) for row in query.execute(store.database)]


def _view(row: Any, task: str | None, live_after: float, now: float) -> Worker:
    """`task` is None for an idle worker, empty for one whose task is not to be named."""
    present: Literal["busy", "idle", "draining", "set aside"] = "idle" if task is None else "busy"
    text = ""
    if row.draining:
        present = "draining"
    elif task is None and row.set_aside_until is not None and row.set_aside_until > now:
        present = "set aside"
        text = f"{row.failures} failures in a row: no tasks for {row.set_aside_until - now:.0f} s"
    return Worker(
        id=row.id,
        name=row.name,
        state=present if row.seen_at > live_after else "gone",
        text=text,
        models=_names(row.models),
        device=row.device,
        version=row.version,
        memory_bytes=row.memory_bytes,
        task=task or None,
        started_at=rfc3339(row.started_at),
        seen_at=rfc3339(row.seen_at),
    )
