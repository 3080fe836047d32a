"""PostgreSQL: any number of server processes, a few connections each."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import peewee

from gpugen_protocol.errors import GpugenError, MissingExtra, StorageFull, Unavailable
from gpugen_server.complaints import QUIET
from gpugen_server.database.engine import Remedy
from gpugen_server.database.store import PostgresStore, Store

if TYPE_CHECKING:  # it needs the driver, which not everybody has
    from gpugen_server.database.session import Session

CONNECTIONS = 8  # of one server process; each is a thread that waits for the network
_CONNECT_SECONDS = 5
_MEASURED = 60.0  # seconds for which a comparison of the clocks holds
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
# The parts of PostgreSQL that make a file longer: a quota that is used up has no SQLSTATE of its own.
_GROWING = frozenset({"mdextend", "mdzeroextend"})

logger = logging.getLogger(__name__)


class _Threads(threading.local):
    session: Session | None = None


class Postgres:
    """The database at `url`, `postgresql://user:password@host:port/name`.

    Raises:
        MissingExtra: its driver is not installed.
    """

    threads = CONNECTIONS
    types: ClassVar[dict[str, str]] = {
        "serial": "BIGSERIAL PRIMARY KEY",
        "blob": "BYTEA",
        "without_rowid": "",
    }
    upgrades_itself = False
    is_local = False

    def __init__(self, url: str) -> None:
        try:
            import psycopg

            from gpugen_server.database.session import Session
        except ModuleNotFoundError:
            raise MissingExtra(
                "PostgreSQL needs its driver, which is not installed.",
                hint="Run: pip install 'gpugen[postgres]'",
            ) from None
        self.errors: type[Exception] = psycopg.Error
        self._make_session = Session
        self._threads = _Threads()
        self.name = _without_password(url)
        self._ahead = 0.0  # seconds by which the database's clock is ahead of ours
        self._measured = -_MEASURED
        self._logged = ("", 0.0)  # what was said last, and when
        self.peewee: Any = peewee.PostgresqlDatabase(
            url.replace("postgres://", "postgresql://", 1),
            prefer_psycopg3=True,
            autoconnect=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="gpugen",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=20_000,  # milliseconds that what was sent may stay without an acknowledgement
            options=" ".join(
                f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in _LIMITS.items()
            ),
        )

    def begin_at_once(self) -> Store:
        """It is another process: there is always something to wait for."""
        raise NotImplementedError

    def begin(self) -> Store:
        """READ COMMITTED: rows that are read to be changed are locked by `Store.lock`."""
        session = self._session()
        if time.monotonic() - self._measured >= _MEASURED:
            self._measure()
        session.begin()
        return PostgresStore(self.peewee, session, self.now())

    def now(self) -> float:
        """PostgreSQL's clock, as it was measured last: servers whose own clocks differ agree on leases."""
        return time.time() + self._ahead

    def begin_migration(self, store: Store) -> None:
        """As `Engine.begin_migration`."""
        store.change("SET LOCAL statement_timeout = 0")
        store.rows(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")

    def version(self, store: Store) -> int:
        """Kept in a table of one row."""
        if not self.columns(store, "gpugen_schema"):
            return 0
        return int(store.value("SELECT version FROM gpugen_schema"))

    def set_version(self, store: Store, version: int) -> None:
        """As `Engine.set_version`."""
        store.change("CREATE TABLE IF NOT EXISTS gpugen_schema (version INTEGER NOT NULL)")
        store.change("DELETE FROM gpugen_schema")
        store.change("INSERT INTO gpugen_schema (version) VALUES (?)", version)

    def columns(self, store: Store, table: str) -> set[str]:
        """As `Engine.columns`."""
        found = store.rows(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = ?",
            table,
        )
        return {name for (name,) in found}

    def remedy(self, error: BaseException) -> Remedy:
        """A lost race is run again. After anything else the connection is replaced: it may be gone, or lead
        to a server that was demoted to read-only.
        """
        return "again" if _state(error) in _RACE else "reconnect"

    def explain(self, error: BaseException) -> GpugenError:
        """As `Engine.explain`. What the driver says names hosts and users: that is for the log alone."""
        self._log(" ".join(str(_first(error)).split()))
        if _state(error) in _FULL or _source(error) in _GROWING:
            return StorageFull("The database cannot grow.", hint="Free space on PostgreSQL's disk.")
        return Unavailable(
            "The database does not answer.",
            hint="Is it running, and is GPUGEN_DATABASE_URL right? The server's log says more.",
            retry_after=1.0,
        )

    def _session(self) -> Session:
        """The calling thread's, on the connection that peewee has for it."""
        connection = self.peewee.connection()
        session = self._threads.session
        if session is None or session.connection is not connection:
            session = self._threads.session = self._make_session(connection)
        return session

    def _measure(self) -> None:
        before = time.time()
        row = self.peewee.execute_sql("SELECT extract(epoch FROM clock_timestamp())").fetchone()
        self._ahead = float(row[0]) - (before + time.time()) / 2
        self._measured = time.monotonic()

    def _log(self, text: str) -> None:
        said, at = self._logged
        if text != said or time.monotonic() - at > QUIET:
            logger.error("PostgreSQL: %s", text)
            self._logged = (text, time.monotonic())


def _state(error: BaseException) -> str:
    """The SQLSTATE; empty if the error is none of the server's."""
    return str(getattr(_driver_error(error), "sqlstate", ""))


def _source(error: BaseException) -> str:
    """The function of PostgreSQL's that complains, whose name is the same in every language."""
    return str(getattr(getattr(_driver_error(error), "diag", None), "source_function", ""))


def _driver_error(error: BaseException) -> BaseException | None:
    """The server's complaint, which peewee's error hides."""
    cause: BaseException | None = error
    while cause is not None and not getattr(cause, "sqlstate", None):
        cause = cause.__cause__ or cause.__context__
    return cause


def _first(error: BaseException) -> BaseException:
    """What went wrong at first: when a connection breaks, the rollback fails as well, and hides it."""
    first, cause = error, error.__cause__ or error.__context__
    while cause is not None:
        first = cause if isinstance(cause, peewee.PeeweeException) else first
        cause = cause.__cause__ or cause.__context__
    return first


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host, query=""))
