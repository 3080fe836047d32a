"""PostgreSQL: any number of server processes, a few connections each."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import peewee

from gpugen_protocol.errors import GpugenError, MissingExtra, StorageFull, Unavailable
from gpugen_server.database.engine import Remedy
from gpugen_server.database.store import PostgresStore

CONNECTIONS = 8  # of one server process; each is a thread that waits for the network
_CONNECT_SECONDS = 5
# On the server's side, so that they hold whatever happens to us: nothing may wait for ever.
_LIMITS = {
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "default_transaction_isolation": "read committed",
}
_MIGRATION_LOCK = 7_014_823_091  # any number, the same in every gpugen
_RACE = frozenset({"40001", "40P01"})  # serialization failure, deadlock: the other one went first
_FULL = frozenset({"53100"})  # disk full


class Postgres:
    """The database at `url`, `postgresql://user:password@host:port/name`.

    Raises:
        MissingExtra: its driver is not installed.
    """

    store = PostgresStore
    threads = CONNECTIONS
    types: ClassVar[dict[str, str]] = {
        "serial": "BIGSERIAL PRIMARY KEY",
        "blob": "BYTEA",
        "without_rowid": "",
    }
    upgrades_itself = False

    def __init__(self, url: str) -> None:
        try:
            import psycopg  # noqa: F401 - peewee does without it until a connection is made
        except ModuleNotFoundError:
            raise MissingExtra(
                "PostgreSQL needs its driver, which is not installed.",
                hint="Run: pip install 'gpugen[postgres]'",
            ) from None
        self.name = _without_password(url)
        self.peewee: Any = peewee.PostgresqlDatabase(
            url.replace("postgres://", "postgresql://", 1),
            prefer_psycopg3=True,
            autoconnect=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="gpugen",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            options=" ".join(
                f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in _LIMITS.items()
            ),
        )

    def transaction(self) -> AbstractContextManager[Any]:
        """READ COMMITTED: rows that are read to be changed are locked by `Store.lock`."""
        found: AbstractContextManager[Any] = self.peewee.atomic()
        return found

    def version(self) -> int:
        """Kept in a table of one row; whoever else asks in a transaction waits for the end of this one."""
        self.peewee.execute_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        if not self.columns("gpugen_schema"):
            return 0
        return int(self.peewee.execute_sql("SELECT version FROM gpugen_schema").fetchone()[0])

    def set_version(self, version: int) -> None:
        """As `Engine.set_version`."""
        self.peewee.execute_sql("CREATE TABLE IF NOT EXISTS gpugen_schema (version INTEGER NOT NULL)")
        self.peewee.execute_sql("DELETE FROM gpugen_schema")
        self.peewee.execute_sql("INSERT INTO gpugen_schema (version) VALUES (%s)", (version,))

    def columns(self, table: str) -> set[str]:
        """As `Engine.columns`."""
        found = self.peewee.execute_sql(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = %s",
            (table,),
        )
        return {name for (name,) in found.fetchall()}

    def remedy(self, error: BaseException) -> Remedy:
        """A lost race is run again; a lost connection is replaced, for the next one to use."""
        if _state(error) in _RACE:
            return "again"
        return (
            "reconnect" if isinstance(error, peewee.OperationalError | peewee.InterfaceError) else "give up"
        )

    def explain(self, error: BaseException) -> GpugenError:
        """As `Engine.explain`; the driver's message may name the host, never the password."""
        text = " ".join(str(error).split())
        if _state(error) in _FULL:
            return StorageFull(f"The database cannot grow: {text}", hint="Free space on PostgreSQL's disk.")
        return Unavailable(f"The database does not answer: {text}", retry_after=1.0)


def _state(error: BaseException) -> str:
    """The SQLSTATE, which the driver's error behind peewee's carries."""
    cause: BaseException | None = error
    while cause is not None:
        if state := getattr(cause, "sqlstate", None):
            return str(state)
        cause = cause.__cause__ or cause.__context__
    return ""


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host, query=""))
