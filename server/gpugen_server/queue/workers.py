"""Workers' sessions: who is there, what each can draw, when it was last heard of."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.clock import rfc3339
from gpugen_protocol.worker import SessionRequest, Worker
from gpugen_server.database import Store
from gpugen_server.queue import ids
from gpugen_server.tables import WorkerRow

SHOWN_SECONDS = 3600.0  # how long a worker that left is still listed
KEPT_SECONDS = 7 * 86400.0  # how long it is still known
_LARGEST = 2**63 - 1  # what a column can hold


class LiveWorker(Struct, frozen=True):
    """A worker that was heard of lately; no models means that it serves any."""

    id: str
    models: tuple[str, ...]

    def serves(self, model: str) -> bool:
        """Whether it can draw with `model`."""
        return not self.models or model in self.models


def register(store: Store, request: SessionRequest, user: str) -> str:
    """Note a new worker, forget those long gone; gives its id."""
    store.change("DELETE FROM workers WHERE seen_at < ?", store.now - KEPT_SECONDS)
    worker = ids.ulid()
    WorkerRow.insert(
        id=worker,
        name=request.name,
        models=wire.encode(request.models).decode(),
        memory_bytes=min(request.memory_bytes, _LARGEST),
        device=request.device,
        version=request.version,
        libraries=wire.encode(request.libraries).decode(),
        user=user,
        started_at=store.now,
        seen_at=store.now,
    ).execute(store.database)
    return worker


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


def models_of(store: Store, worker: str) -> tuple[str, ...]:
    """The models `worker` said it has; empty: any."""
    found = store.value("SELECT models FROM workers WHERE id = ?", worker)
    return msgspec.json.decode(found, type=tuple[str, ...]) if found else ()


def live(store: Store, live_after: float) -> list[LiveWorker]:
    """The workers seen since `live_after` (seconds since the epoch)."""
    found = store.rows("SELECT id, models FROM workers WHERE seen_at > ?", live_after)
    return [LiveWorker(id, msgspec.json.decode(models, type=tuple[str, ...])) for id, models in found]


def listing(store: Store, live_after: float, user: str | None) -> list[Worker]:
    """Every worker seen within the last hour, the newest first, as `user` may see it (None: all of it)."""
    running = store.rows("SELECT worker, id, user FROM tasks WHERE state = 'running'")
    busy = {worker: task if user in (None, owner) else "" for worker, task, owner in running}
    query = (
        WorkerRow.select()
        .where(WorkerRow.seen_at > store.now - SHOWN_SECONDS)
        .order_by(WorkerRow.id.desc())
        .limit(1000)
    )
    return [_view(row, busy.get(row.id), live_after) for row in query.execute(store.database)]


def _view(row: Any, task: str | None, live_after: float) -> Worker:
    """`task` is None for an idle worker, empty for one whose task is not to be named."""
    present: Literal["busy", "idle"] = "idle" if task is None else "busy"
    return Worker(
        id=row.id,
        name=row.name,
        state=present if row.seen_at > live_after else "gone",
        models=msgspec.json.decode(row.models, type=tuple[str, ...]),
        device=row.device,
        version=row.version,
        memory_bytes=row.memory_bytes,
        task=task or None,
        started_at=rfc3339(row.started_at),
        seen_at=rfc3339(row.seen_at),
    )
