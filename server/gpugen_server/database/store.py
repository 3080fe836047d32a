"""One transaction, in SQL that SQLite and PostgreSQL read alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from typing import Any, ClassVar

from gpugen_protocol.clock import rfc3339
from gpugen_server.events.entry import Entry

Statement = tuple[str, tuple[Any, ...]]
_ROWS = 50  # that one statement inserts


class Store:
    """SQL in, rows out, with `?` for parameters. What must be told once it is committed collects in `outbox`.

    Args:
        peewee: peewee's object for the database, whose methods have no types.
        connection: what peewee has connected, in a transaction.
        now: the time of this transaction by the database's clock, in seconds since the epoch.

    Attributes:
        lock: ends a SELECT whose rows are about to be changed: nobody else may until this transaction ends.
        lock_free: the same, passing over rows that somebody else holds.
        never_began: whether nothing can have been done, for the connection was gone already.
    """

    lock: ClassVar[str] = ""  # SQLite has one writer: who reads in a transaction of ours is the one
    lock_free: ClassVar[str] = ""
    never_began = False

    def __init__(self, peewee: Any, connection: Any, now: float) -> None:
        self._peewee = peewee
        self._connection = connection
        self._execute: Callable[[str, tuple[Any, ...]], Any] = connection.execute
        self.outbox: list[Entry] = []
        self._later: dict[str, list[tuple[Any, ...]]] = {}
        self._known: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        self.now = now
        self._at: str | None = None

    @property
    def database(self) -> Any:
        """What peewee's queries are executed on to be part of this transaction."""
        return self._peewee

    @property
    def at(self) -> str:
        """`now` as events tell it."""
        if self._at is None:
            self._at = rfc3339(self.now)
        return self._at

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        found: list[tuple[Any, ...]] = self._execute(sql, params).fetchall()
        return found

    def once(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """As `rows`, asked once in a transaction: for what may as well be as it was at its beginning."""
        found = self._known.get((sql, *params))
        if found is None:
            found = self._known[sql, *params] = self.rows(sql, *params)
        return found

    def row(self, sql: str, *params: Any) -> tuple[Any, ...] | None:
        """The only row of a statement, or None."""
        found = self._execute(sql, params).fetchall()
        return found[0] if found else None

    def first_free(self, sql: Callable[[str], str], *params: Any) -> tuple[Any, ...] | None:
        """What `sql(lock)` finds with its rows locked by `lock`: the first that nobody else holds; if all are
        held, the first that is let go of unchanged. None when there is no such row.
        """
        return self.row(sql(self.lock_free), *params)

    def value(self, sql: str, *params: Any) -> Any:
        """The first column of the only row, or None."""
        found = self._execute(sql, params).fetchall()
        return found[0][0] if found else None

    def change(self, sql: str, *params: Any) -> int:
        """How many rows a statement changed."""
        return int(self._execute(sql, params).rowcount)

    def add_later(self, insert: str, *row: Any) -> None:
        """Add a row that nobody reads in this transaction at its end, with all others of `insert` in one
        statement; `insert` ends with VALUES.
        """
        self._later.setdefault(insert, []).append(row)

    def put_off(self) -> Iterator[Statement]:
        """What `add_later` has left to do."""
        for insert, rows in self._later.items():
            for start in range(0, len(rows), _ROWS):
                some = rows[start : start + _ROWS]
                yield _with_rows(insert, len(some[0]), len(some)), tuple(chain.from_iterable(some))

    def commit(self) -> None:
        """End the transaction."""
        for sql, params in self.put_off():
            self._execute(sql, params)
        self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Undo it; a full disk has done so already."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def alone(self, name: str) -> None:
        """Wait until nobody else does what is called `name`, and let nobody until this transaction ends."""


class PostgresStore(Store):
    """The same on PostgreSQL, where other connections write at the same time; `connection` is a Session."""

    lock = " FOR UPDATE"
    lock_free = " FOR UPDATE SKIP LOCKED"
    _asked = False  # for a free row, in this transaction

    @property
    def database(self) -> Any:
        """As `Store.database`."""
        self._connection.begin_now()
        return self._peewee

    @property
    def never_began(self) -> bool:  # type: ignore[override]
        """As `Store.never_began`."""
        return bool(self._connection.was_gone)

    def first_free(self, sql: Callable[[str], str], *params: Any) -> tuple[Any, ...] | None:
        """As `Store.first_free`: whoever only looked at the row, or failed, must not hide it.

        Once in a transaction: who holds such a row and waits for another may itself be waited for.
        """
        found = self.row(sql(self.lock_free), *params)
        if found is None and not self._asked:
            found = self.row(sql(self.lock), *params)
        self._asked = True
        return found

    def alone(self, name: str) -> None:
        """As in SQLite, whose only writer always is."""
        self.rows("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", name)

    def commit(self) -> None:
        """As `Store.commit`: what was put off travels with it."""
        self._connection.commit([*self.put_off()])

    def roll_back(self) -> None:
        """As `Store.roll_back`."""
        self._connection.roll_back()


@cache
def _with_rows(insert: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{insert} {', '.join([row] * rows)}"
