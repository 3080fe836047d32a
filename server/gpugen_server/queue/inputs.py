"""Images that tasks start from: whose they are, which tasks need them, and when nobody does any more."""

from __future__ import annotations

from msgspec import Struct

from gpugen_protocol.errors import FieldError, InvalidRequest, NotFound, TooManyRequests
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.task import Input
from gpugen_server.database import Store
from gpugen_server.queue import lease as leases
from gpugen_server.queue import trash

KEPT_SECONDS = 86_400.0  # that an input stays which no task needs
MAX_WAITING = 200  # inputs of one user that no task needs yet
_UNUSED = "NOT EXISTS (SELECT 1 FROM task_inputs WHERE input = inputs.id)"


class Arrival(Struct, frozen=True):
    """An image that was checked and written; `file` is its name in the image store."""

    id: str
    width: int
    height: int
    bytes: int
    sha256: str
    file: str


def find(store: Store, owner: str, sha256: str) -> Input | None:
    """The input of `owner` that has this very content; it is young again, as if it had just come."""
    found = store.row(
        "UPDATE inputs SET used_at = ? WHERE owner = ? AND sha256 = ?"
        " RETURNING id, width, height, bytes, sha256",
        store.now,
        owner,
        sha256,
    )
    return Input(**dict(zip(Input.__struct_fields__, found, strict=True))) if found else None


def check_room(store: Store, owner: str) -> None:
    """Raises TooManyRequests when `owner` has sent too many that no task needs."""
    waiting = store.value(f"SELECT count(*) FROM inputs WHERE owner = ? AND {_UNUSED}", owner)  # noqa: S608
    if waiting >= MAX_WAITING:
        raise TooManyRequests(
            f"{waiting} images wait for a task that starts from them.",
            hint="Submit their tasks; an image that no task needs is removed after a day.",
            retry_after=60.0,
        )


def add(store: Store, owner: str, arrival: Arrival) -> Input:
    """Keep it for `owner`; the same content sent twice at once is kept once."""
    known = find(store, owner, arrival.sha256)
    if known is not None:
        return known
    check_room(store, owner)
    new = store.change(
        "INSERT INTO inputs (id, owner, width, height, bytes, sha256, file, used_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner, sha256) DO NOTHING",
        arrival.id,
        owner,
        arrival.width,
        arrival.height,
        arrival.bytes,
        arrival.sha256,
        arrival.file,
        store.now,
    )
    known = None if new else find(store, owner, arrival.sha256)  # it came twice at once, by two connections
    return known or Input(
        id=arrival.id,
        width=arrival.width,
        height=arrival.height,
        bytes=arrival.bytes,
        sha256=arrival.sha256,
    )


def use(store: Store, num: int, owner: str, request: ResolvedRequest) -> None:
    """Note that task `num` of `owner` needs the inputs of `request`.

    Raises:
        InvalidRequest: one of them does not exist, or is somebody else's; the two look the same.
    """
    for field in ("init_image", "mask_image"):
        wanted = getattr(request, field)
        if wanted is None or _is_noted(store, num, wanted):
            continue
        # Young again, so that who is just about to drop it for its age thinks better of it.
        if not store.change(
            "UPDATE inputs SET used_at = ? WHERE id = ? AND owner = ?", store.now, wanted, owner
        ):
            raise InvalidRequest(
                f"{field}: there is no input {wanted}.",
                hint="Send the image again; one that no task needs is removed after a day.",
                errors=(FieldError(field, "is not an input of yours"),),
            )
        store.change("INSERT INTO task_inputs (task_num, input) VALUES (?, ?)", num, wanted)


def file_for(store: Store, lease: str, worker: str, wanted: str) -> str:
    """The file of an input of the leased task.

    Raises:
        LeaseLost: the lease is not the current one.
        NotFound: the task does not start from that input.
    """
    held = leases.hold(store, lease, worker)
    file = store.value(
        "SELECT file FROM inputs JOIN task_inputs ON input = id WHERE task_num = ? AND id = ?",
        held.task.num,
        wanted,
    )
    if file is None:
        raise NotFound(f"The task does not start from an input {wanted}.")
    return str(file)


def forget(store: Store) -> list[str]:
    """Drop the inputs that no task has needed for a day; gives their files."""
    store.change("DELETE FROM task_inputs WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE num = task_num)")
    sql = f"DELETE FROM inputs WHERE used_at < ? AND {_UNUSED} RETURNING file"  # noqa: S608
    files = [file for (file,) in store.rows(sql, store.now - KEPT_SECONDS)]
    trash.add(store, files)
    return files


def _is_noted(store: Store, num: int, wanted: str) -> bool:
    found = store.row("SELECT 1 FROM task_inputs WHERE task_num = ? AND input = ?", num, wanted)
    return found is not None
