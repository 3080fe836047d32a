"""The rows of images: which file is image `index` of a task, accepted from which attempt."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from gpugen_protocol.errors import Conflict, NotFound
from gpugen_protocol.events import ImageEvent
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.state import TERMINAL
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.images.codec import Encoded
from gpugen_server.queue import lease as leases
from gpugen_server.queue import records, workers
from gpugen_server.queue.lease import Held


class Place(NamedTuple):
    """Where an upload will go: the attempt it belongs to, and what it must show.

    `reported` is what the worker said of its device and libraries.
    """

    task: str
    attempt: int
    request: ResolvedRequest
    reported: dict[str, str]


class Arrival(Struct, frozen=True):
    """An image that was checked and written, but is not the task's yet.

    Attributes:
        file: its name in the image store.
    """

    lease: str
    worker: str
    index: int
    encoded: Encoded
    file: str


class Stored(NamedTuple):
    """An accepted image; while it is not `final`, another attempt may replace it."""

    file: str
    sha256: str
    final: bool


def expect(store: Store, lease: str, worker: str, index: int) -> Place:
    """Where image `index` of the leased task will go.

    Raises:
        LeaseLost: the lease is not the current one.
        NotFound: the task has no such image.
    """
    held = leases.hold(store, lease, worker)
    request = held.resolved
    if not 0 <= index < request.n:
        raise NotFound(f"The task asks for {request.n} image(s), counted from 0; there is no image {index}.")
    return Place(held.task.id, held.attempt, request, workers.reported(store, worker))


def accept(store: Store, arrival: Arrival, seconds: float) -> tuple[Held, list[str]]:
    """Make it the task's image and renew the lease for `seconds`; gives the files nobody needs any more.

    Raises:
        LeaseLost: the lease is not the current one.
        Conflict: this attempt sent another image before.
    """
    held = leases.hold(store, arrival.lease, arrival.worker)
    known = store.row(
        "SELECT attempt, source, file FROM images WHERE task_num = ? AND idx = ?",
        held.task.num,
        arrival.index,
    )
    if known is not None and known[0] == held.attempt:
        if known[1] != arrival.encoded.source:
            raise Conflict(f"Image {arrival.index} is already here, with other bytes.")
        return held, [arrival.file]
    _write(store, held, arrival)
    leases.renew(store, held, seconds)
    return held, [] if known is None else [known[2]]


def here(store: Store, lease: str, worker: str, index: int) -> Held | None:
    """The lease, if this attempt has sent image `index` already: a post that is sent twice counts once.

    Raises:
        LeaseLost: the lease is not the current one.
    """
    held = leases.hold(store, lease, worker)
    known = store.row(
        "SELECT 1 FROM images WHERE task_num = ? AND idx = ? AND attempt = ?",
        held.task.num,
        index,
        held.attempt,
    )
    return None if known is None else held


def find(store: Store, task: str, user: str | None, index: int) -> Stored:
    """The file of image `index`.

    Raises:
        NotFound: `user` has no such task, or the image is not there (yet).
    """
    record = records.find(store, task, user)
    found = store.row("SELECT file, sha256 FROM images WHERE task_num = ? AND idx = ?", record.num, index)
    if found is None:
        raise NotFound(f"Task {task} has no image {index}.", hint=f"The task is {record.state}.")
    file, sha256 = found
    return Stored(file, sha256, record.state in TERMINAL)


def orphans(store: Store, folder: str, names: list[str]) -> list[str]:
    """Those of the files `names` in `folder` that are no image of their task: a write that was cut short.

    Files of tasks that are not known here stay: they may belong to another database.
    """
    found = store.rows(
        "SELECT id, file FROM tasks LEFT JOIN images ON task_num = num WHERE id >= ? AND id < ?",
        folder,
        f"{folder}~",
    )
    tasks, files = {task for task, _ in found}, {file for _, file in found}
    return [name for name in names if name not in files and name[len(folder) + 1 :].split("-")[0] in tasks]


def _write(store: Store, held: Held, arrival: Arrival) -> None:
    request, encoded = held.resolved, arrival.encoded
    seed = request.seeds[arrival.index]
    store.change(
        "INSERT INTO images (task_num, idx, attempt, seed, width, height, bytes, sha256, source, file)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (task_num, idx) DO UPDATE SET attempt = excluded.attempt, seed = excluded.seed,"
        " width = excluded.width, height = excluded.height, bytes = excluded.bytes, sha256 = excluded.sha256,"
        " source = excluded.source, file = excluded.file",
        held.task.num,
        arrival.index,
        held.attempt,
        seed,
        request.width,
        request.height,
        len(encoded.png),
        encoded.sha256,
        encoded.source,
        arrival.file,
    )
    log.append(store, held.task, ImageEvent, index=arrival.index, sha256=encoded.sha256, seed=seed)
