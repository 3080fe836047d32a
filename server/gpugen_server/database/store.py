"""One transaction, in SQL that SQLite and PostgreSQL read alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

from gpugen_protocol.clock import rfc3339
from gpugen_server.events.entry import Entry


class Store:
    """SQL in, rows out, with `?` for parameters. What must be told once it is committed collects in `outbox`.

    Attributes:
        lock: ends a SELECT whose rows are about to be changed: nobody else may until this transaction ends.
        lock_free: the same, passing over rows that somebody else holds.
        now: the time of this transaction by the database's clock, in seconds since the epoch.
    """

    lock: ClassVar[str] = ""  # SQLite has one writer: who reads in a transaction of ours is the one
    lock_free: ClassVar[str] = ""

    def __init__(self, database: Any, now: float) -> None:  # of peewee, whose methods have no types
        self.database = database
        self._execute: Callable[[str, tuple[Any, ...]], Any] = self._executor()
        self.outbox: list[Entry] = []
        self._known: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        self.now = now
        self._at: str | None = None

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

    def first_free(self, sql: str, *params: Any) -> tuple[Any, ...] | None:
        """The first row of a SELECT that nobody else holds, locked; if all are held, the first that is let go
        of unchanged. None when there is no such row.
        """
        return self.row(sql, *params)

    def value(self, sql: str, *params: Any) -> Any:
        """The first column of the only row, or None."""
        found = self._execute(sql, params).fetchall()
        return found[0][0] if found else None

    def change(self, sql: str, *params: Any) -> int:
        """How many rows a statement changed."""
        return int(self._execute(sql, params).rowcount)

    def alone(self, name: str) -> None:
        """Wait until nobody else does what is called `name`, and let nobody until this transaction ends."""

    def _executor(self) -> Callable[[str, tuple[Any, ...]], Any]:
        """What sends a statement and gives a cursor."""
        found: Callable[[str, tuple[Any, ...]], Any] = self.database.connection().execute
        return found


class PostgresStore(Store):
    """The same on PostgreSQL, where other connections write at the same time."""

    lock = " FOR UPDATE"
    lock_free = " FOR UPDATE SKIP LOCKED"
    _asked = False  # for a free row, in this transaction

    def first_free(self, sql: str, *params: Any) -> tuple[Any, ...] | None:
        """As `Store.first_free`: whoever only looked at the row, or failed, must not hide it.

        Once in a transaction: who holds such a row and waits for another may itself be waited for.
        """
        found = self.row(sql + self.lock_free, *params)
        if found is None and not self._asked:
            found = self.row(sql + self.lock, *params)
        self._asked = True
        return found

    def alone(self, name: str) -> None:
        """As in SQLite, whose only writer always is."""
        self.rows("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", name)

    def _executor(self) -> Callable[[str, tuple[Any, ...]], Any]:
        return self._send

    def _send(self, sql: str, params: tuple[Any, ...]) -> Any:
        return self.database.execute_sql(_with_its_placeholders(sql), tuple(map(_storable, params)))


def _storable(value: Any) -> Any:
    """PostgreSQL's texts hold every character but one, which nobody can miss."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


@cache
def _with_its_placeholders(sql: str) -> str:
    """Statements are few texts, written once each; none has a question mark that is not a parameter."""
    return sql.replace("%", "%%").replace("?", "%s")
