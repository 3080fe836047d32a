"""Look up and list tasks."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Struct

from gpugen_protocol.errors import FieldError, InvalidRequest
from gpugen_protocol.state import STATES, TERMINAL
from gpugen_protocol.task import Task, TaskPage
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.queue import place, records
from gpugen_server.queue.records import COLUMNS, Record

MOST_ACTIVE = 1000  # tasks that `active` names


class Filter(Struct, frozen=True, kw_only=True):
    """Which tasks; None means any. `user` None: everybody's."""

    user: str | None
    state: str | None = None
    group: str | None = None
    model: str | None = None
    q: str | None = None
    limit: int = 50
    cursor: str | None = None


class Snapshot(Struct, frozen=True):
    """A task and the number of its last event, both from one moment."""

    task: Task
    last_seq: int


class EventRows(NamedTuple):
    """Events as (number, JSON), the number of the last one there is, and whether no more will come."""

    last_seq: int
    events: list[tuple[int, bytes]]
    finished: bool


def get(store: Store, task: str, user: str | None, live_after: float) -> Task:
    """The task as it is now.

    Raises:
        NotFound: `user` has no such task.
    """
    return records.show(store, records.find(store, task, user), live_after)


def snapshot(store: Store, task: str, user: str | None, live_after: float) -> Snapshot:
    """The task as it is now, and the number of its last event.

    Raises:
        NotFound: `user` has no such task.
    """
    record = records.find(store, task, user)
    return Snapshot(records.show(store, record, live_after), record.last_seq)


def events(store: Store, task: str, user: str | None, after: int, limit: int) -> EventRows:
    """Up to `limit` events after number `after`.

    Raises:
        NotFound: `user` has no such task.
    """
    record = records.find(store, task, user)
    found = log.read(store, record.num, after, limit)
    return EventRows(record.last_seq, found, record.state in TERMINAL)


def active(store: Store, user: str | None) -> list[str]:
    """The ids of the user's tasks that are not finished, oldest first; None: everybody's."""
    own, params = ("", ()) if user is None else (" AND owner = ?", (user,))
    found: list[tuple[Any, ...]] = []
    for state in ("running", "queued"):
        found += store.rows(
            f"SELECT num, id FROM tasks WHERE state = '{state}'{own} ORDER BY num LIMIT ?",  # noqa: S608
            *params,
            MOST_ACTIVE,
        )
    return [task for _, task in sorted(found)][:MOST_ACTIVE]


def listing(store: Store, wanted: Filter, live_after: float) -> TaskPage:
    """One page, newest first.

    Raises:
        InvalidRequest: a state or cursor that does not exist.
    """
    where, params = _conditions(wanted)
    found = store.rows(
        f"SELECT {COLUMNS} FROM tasks WHERE {' AND '.join(where)} ORDER BY num DESC LIMIT ?",  # noqa: S608
        *params,
        wanted.limit + 1,
    )
    page = [Record(*row) for row in found[: wanted.limit]]
    queued = [record.num for record in page if record.state == "queued"]
    ahead = place.all_ahead(store, queued) if queued else {}
    return TaskPage(
        tasks=tuple(records.show(store, record, live_after, ahead) for record in page),
        next_cursor=str(page[-1].num) if len(found) > wanted.limit else None,
    )


def _conditions(wanted: Filter) -> tuple[list[str], list[Any]]:
    where: list[str] = ["1 = 1"]
    params: list[Any] = []
    equal = {"owner": wanted.user, "group_name": wanted.group, "model": wanted.model}
    for column, value in equal.items():
        if value is not None:
            where.append(f"{column} = ?")
            params.append(value)
    if wanted.state is not None:
        names = _states(wanted.state)
        where.append(f"state IN ({', '.join('?' * len(names))})")
        params.extend(names)
    if wanted.q:
        where.append("lower(prompt) LIKE ? ESCAPE '!'")
        params.append(f"%{_literal(wanted.q.lower())}%")
    if wanted.cursor is not None:
        where.append("num < ?")
        params.append(_number(wanted.cursor))
    return where, params


def _literal(text: str) -> str:
    """`text` with what LIKE would take for a wildcard marked as itself."""
    return "".join(f"!{letter}" if letter in "!%_" else letter for letter in text)


def _states(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in STATES:
            raise InvalidRequest(
                f"state: {name!r} is not a state.",
                hint=f"There are {', '.join(STATES)}.",
                errors=(FieldError("state", "is not a state"),),
            )
    return names


def _number(cursor: str) -> int:
    if not cursor.isdecimal() or len(cursor) > 18:
        raise InvalidRequest(
            "cursor: is not one that a listing gave.", errors=(FieldError("cursor", "is not known"),)
        )
    return int(cursor)
