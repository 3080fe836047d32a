"""The one door to the database: every statement runs in a transaction, on a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import peewee

from gpugen_protocol.errors import GpugenError, StorageFull, Unavailable
from gpugen_server import schema
from gpugen_server.events.entry import Entry

P = ParamSpec("P")
T = TypeVar("T")

BUSY_TIMEOUT = 5.0  # seconds to wait for another process that writes
_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC"}


class Store:
    """One transaction: SQL in, rows out. What must be told once it is committed collects in `outbox`."""

    def __init__(self, database: Any) -> None:  # of peewee, whose methods have no types
        self.database = database
        self.outbox: list[Entry] = []
        self.now = time.time()

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        found: list[tuple[Any, ...]] = self.database.execute_sql(sql, params).fetchall()
        return found

    def row(self, sql: str, *params: Any) -> tuple[Any, ...] | None:
        """The only row of a statement, or None."""
        found = self.rows(sql, *params)
        return found[0] if found else None

    def value(self, sql: str, *params: Any) -> Any:
        """The first column of the only row, or None."""
        found = self.row(sql, *params)
        return found[0] if found else None

    def change(self, sql: str, *params: Any) -> int:
        """How many rows a statement changed."""
        return int(self.database.execute_sql(sql, params).rowcount)


class Database:
    """SQLite in WAL mode.

    Args:
        path: the file; its folder must exist.
        synchronous: FULL keeps an acknowledged submit through power loss, NORMAL through a crash only.
        on_commit: called on the event loop with what a committed transaction has to tell.
    """

    def __init__(
        self,
        path: Path,
        synchronous: str = "FULL",
        on_commit: Callable[[list[Entry]], None] | None = None,
    ) -> None:
        self.path = path
        self._on_commit = on_commit
        self._peewee = peewee.SqliteDatabase(
            str(path),
            pragmas={
                "journal_mode": "wal",
                "synchronous": synchronous,
                "foreign_keys": 1,
                "cache_size": -8000,  # KiB
            },
            timeout=BUSY_TIMEOUT,
            autoconnect=True,
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpugen-database")

    def migrate(self) -> None:
        """Bring the tables up to date.

        Raises:
            Misconfigured: the database was made by a newer gpugen.
        """
        with _errors_in_our_words():
            schema.migrate(self._peewee)

    async def start(self) -> None:
        """Migrate on the database's own thread."""
        await self._submit(self.migrate)

    async def run(self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """`function(store, ...)` in one transaction; when this returns, its effects are stored.

        Raises:
            StorageFull, Unavailable: the database cannot write; nothing was changed.
        """
        loop = asyncio.get_running_loop()

        def transact_and_tell() -> T:
            result, outbox = self._transact(function, *args, **kw)
            if outbox and self._on_commit:  # from here, so that it happens even if nobody waits any more
                loop.call_soon_threadsafe(self._on_commit, outbox)
            return result

        return await self._submit(transact_and_tell)

    def call(self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """As `run`, on the calling thread; for the command line."""
        return self._transact(function, *args, **kw)[0]

    async def close(self) -> None:
        """Finish what was asked for and close the file."""
        await self._submit(self.disconnect)
        self._thread.shutdown()

    def disconnect(self) -> None:
        """Close the calling thread's connection."""
        self._peewee.close()

    def _submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _transact(
        self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs
    ) -> tuple[T, list[Entry]]:
        store = Store(self._peewee)
        with _errors_in_our_words(), self._peewee.atomic("IMMEDIATE"):
            result = function(store, *args, **kw)
        return result, store.outbox


@contextmanager
def _errors_in_our_words() -> Iterator[None]:
    try:
        yield
    except (peewee.IntegrityError, peewee.ProgrammingError):
        raise  # a mistake of ours, not of the disk
    except peewee.DatabaseError as error:
        raise _translate(error) from error


def _translate(error: BaseException) -> GpugenError:
    """The error behind `error`: a failed rollback hides the true one in its context."""
    name, text = "", str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.Error):
            name, text = getattr(cause, "sqlite_errorname", ""), str(cause)
        cause = cause.__context__
    if name in _FULL:
        return StorageFull(
            f"The database cannot grow: {text}.", hint="Free space on the server's disk; nothing was changed."
        )
    return Unavailable(f"The database cannot do this just now: {text}.", retry_after=1.0)
