"""SQLite in WAL mode: one machine, one transaction at a time."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, ClassVar

import peewee

from gpugen_protocol.errors import GpugenError, StorageFull, Unavailable
from gpugen_server.database.engine import Remedy
from gpugen_server.database.store import Store

BUSY_TIMEOUT = 5.0  # seconds to wait for another process that writes
# Bytes of a page in a new file (an old one keeps its own). A commit writes whole pages, and rows are short.
PAGE = 2048
# Pages in the WAL before they are written to their places. Each task changes much the same pages of the
# indexes as the one before: the more of them share a checkpoint, the fewer are written twice.
CHECKPOINT = 8000
_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC"}


class Sqlite:
    """The database in the file `path`; its folder must exist.

    Args:
        synchronous: FULL keeps an acknowledged submit through power loss, NORMAL through a crash only.
    """

    threads = 1
    types: ClassVar[dict[str, str]] = {
        "serial": "INTEGER NOT NULL PRIMARY KEY",
        "blob": "BLOB",
        "without_rowid": " WITHOUT ROWID",
    }
    upgrades_itself = True
    errors: type[Exception] = sqlite3.Error
    is_local = True

    def __init__(self, path: Path, synchronous: str) -> None:
        self.name = str(path)
        self.peewee: Any = peewee.SqliteDatabase(
            str(path),
            pragmas={
                "page_size": PAGE,
                "journal_mode": "wal",
                "synchronous": synchronous,
                "foreign_keys": 1,
                "cache_size": -8000,  # KiB
                "wal_autocheckpoint": CHECKPOINT,
            },
            timeout=BUSY_TIMEOUT,
            autoconnect=True,
        )
        self._hasty: sqlite3.Connection | None = None

    def begin(self) -> Store:
        """The right to write is taken at once: taken later, it could be refused after half of the work."""
        connection = self.peewee.connection()
        connection.execute("BEGIN IMMEDIATE")
        return Store(self.peewee, connection, self.now())

    def begin_at_once(self) -> Store:
        """On a connection that neither waits for other processes nor brings the log home: the thread does."""
        connection = self.peewee.connection()
        if connection is not self._hasty:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._hasty = connection
        connection.execute("BEGIN IMMEDIATE")
        return Store(self.peewee, connection, self.now())

    def now(self) -> float:
        """This machine's clock: nobody else uses the file."""
        return time.time()

    def begin_migration(self, store: Store) -> None:
        """Who writes keeps others out already."""

    def version(self, store: Store) -> int:
        """Kept in the file's own header."""
        return int(store.value("PRAGMA user_version"))

    def set_version(self, store: Store, version: int) -> None:
        """As `Engine.set_version`."""
        store.change(f"PRAGMA user_version = {version:d}")

    def columns(self, store: Store, table: str) -> set[str]:
        """As `Engine.columns`."""
        return {row[1] for row in store.rows(f"PRAGMA table_info({table})")}

    def remedy(self, error: BaseException) -> Remedy:
        """Nobody else writes, so nothing gets better by itself at once."""
        return "give up"

    def explain(self, error: BaseException) -> GpugenError:
        """A failed rollback hides the true error in its context."""
        name, text = "", str(error)
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, sqlite3.Error):
                name, text = getattr(cause, "sqlite_errorname", ""), str(cause)
            cause = cause.__context__
        if name in _FULL:
            return StorageFull(
                f"The database cannot grow: {text}.",
                hint="Free space on the server's disk; nothing was changed.",
            )
        return Unavailable(f"The database cannot do this just now: {text}.", retry_after=1.0)
