"""Runs every function on the database in a transaction, on a thread of its own or, if short, at once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import peewee

from gpugen_protocol.errors import Unavailable
from gpugen_server.database import schema
from gpugen_server.database.engine import Engine, NotBegun
from gpugen_server.database.pace import Pace
from gpugen_server.database.sqlite import Sqlite
from gpugen_server.database.store import Store
from gpugen_server.database.transaction import transact
from gpugen_server.events.entry import Entry

P = ParamSpec("P")
T = TypeVar("T")

_CLOSING = 2.0  # seconds for what still runs when everything is closed
_BREAKING = 0.2  # seconds for those that waited for the others in vain
PATIENCE = 30.0  # seconds; more than any statement may take, but a disk or a machine can stand still
MOST_TRIES = 6  # of a transaction that loses a race
_MISTAKES = (peewee.IntegrityError, peewee.ProgrammingError, peewee.DataError)


class Database:
    """A database and the threads that speak to it: one for SQLite, one for each connection of PostgreSQL.

    Args:
        where: SQLite's file, or `postgresql://...`.
        synchronous: of SQLite; see there.
        on_commit: called on the event loop with what a committed transaction has to tell.
    """

    def __init__(
        self,
        where: Path | str,
        synchronous: str = "FULL",
        on_commit: Callable[[list[Entry]], None] | None = None,
    ) -> None:
        self.engine = _engine(where, synchronous)
        self._on_commit = on_commit
        self._threads = ThreadPoolExecutor(self.engine.threads, thread_name_prefix="gpugen-database")
        self._on_threads = 0  # transactions that wait or run there
        self._pace = Pace()

    def now(self) -> float:
        """The time by the database's clock, in seconds since the epoch."""
        return self.engine.now()

    def migrate(self) -> int:
        """Bring the tables up to date; gives the version found.

        Raises:
            Misconfigured: the database was made by a newer gpugen.
        """
        return self.call(schema.migrate, self.engine)

    def check(self) -> None:
        """See that the tables are up to date, where they are not this server's alone to change.

        Raises:
            Misconfigured: they are older or newer; the sentence says what to do.
        """
        self.call(schema.check, self.engine)

    def prepare(self) -> None:
        """Migrate where that is this program's alone to do, else check."""
        if self.engine.upgrades_itself:
            self.migrate()
        else:
            self.check()

    async def start(self) -> None:
        """As `prepare`, off the event loop."""
        await self._submit(self.prepare)

    async def run(self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """`function(store, ...)` in one transaction; when this returns, its effects are stored.

        It may run several times, the last one counting: its only effects must be those on the store.

        Raises:
            StorageFull, Unavailable: the database cannot write. Nothing was changed, unless what got lost was
                the answer to a commit: whoever repeats a request must be able to.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            if answer.done():  # nobody waits any more, and nothing has begun
                loop.call_soon_threadsafe(self._left_thread)
                return
            try:
                result, outbox = self._transact(function, *args, **kw)
            except BaseException as error:
                loop.call_soon_threadsafe(self._fail, answer, error)
            else:
                loop.call_soon_threadsafe(self._settle, answer, result, outbox)

        self._threads.submit(work)
        self._on_threads += 1
        late = loop.call_later(PATIENCE, _give_up, answer)
        try:
            return await answer
        finally:
            late.cancel()

    async def run_short(
        self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs
    ) -> T:
        """As `run`, for what takes less time than the way to a thread and back: on the event loop itself.

        Only where nothing is to be waited for: not a connection in between, not another transaction, not a
        disk that was found to be slow; and not for long in one turn of the event loop.
        """
        if self._on_threads or not self.engine.is_local or not self._pace.allows_one():
            return await self.run(function, *args, **kw)
        try:
            result, outbox = self._at_once(function, *args, **kw)
        except NotBegun:  # another process writes
            return await self.run(function, *args, **kw)
        self._tell(outbox)
        return result

    def call(self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """As `run`, on the calling thread; for the command line."""
        return self._transact(function, *args, **kw)[0]

    async def close(self) -> None:
        """Finish what was asked for and close the connections.

        What the database keeps waiting for longer than that is left to it: nobody was told that it is done.
        """
        together = threading.Barrier(self.engine.threads)  # so that every thread takes one of them

        def disconnect() -> None:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(_CLOSING)
            self.disconnect()

        self._on_threads += 1  # for good: nothing begins on the event loop any more
        self.disconnect()  # first, so that the thread brings the log home
        ends = [self._submit(disconnect) for _ in range(self.engine.threads)]
        _, late = await asyncio.wait(ends, timeout=_CLOSING + _BREAKING)
        self._threads.shutdown(wait=not (late or together.broken))

    def disconnect(self) -> None:
        """Close the calling thread's connection."""
        self.engine.peewee.close()

    def _settle(self, answer: asyncio.Future[T], result: T, outbox: list[Entry]) -> None:
        """Tell what was committed, even if nobody waits any more; whoever does goes on."""
        self._left_thread()
        self._tell(outbox)
        if not answer.done():
            answer.set_result(result)

    def _fail(self, answer: asyncio.Future[T], error: BaseException) -> None:
        self._left_thread()
        _refuse(answer, error)

    def _left_thread(self) -> None:
        self._on_threads -= 1

    def _tell(self, outbox: list[Entry]) -> None:
        """It is committed: whoever asked for it hears so, whatever goes wrong here."""
        if not outbox or self._on_commit is None:
            return
        try:
            self._on_commit(outbox)
        except Exception as error:
            problem = {"message": "What was committed could not be told", "exception": error}
            asyncio.get_running_loop().call_exception_handler(problem)

    def _submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function)

    def _transact(
        self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs
    ) -> tuple[T, list[Entry]]:
        """In one transaction: once more on a new connection if the old one was gone before anything began,
        and again after a lost race; a mistake of ours is not explained away.
        """
        for tries in range(1, MOST_TRIES + 1):
            try:
                return transact(self.engine, self.engine.begin, function, *args, **kw)
            except _MISTAKES:
                raise
            except (peewee.PeeweeException, NotBegun) as problem:
                error = problem.__cause__ if isinstance(problem, NotBegun) else problem
                assert error is not None
                if not self._may_try_again(problem, error, tries):
                    raise self.engine.explain(error) from error
        raise AssertionError("the last try returns or raises")

    def _at_once(
        self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs
    ) -> tuple[T, list[Entry]]:
        """As `_transact`, on the event loop, and not again."""
        began = time.monotonic()
        try:
            return transact(self.engine, self.engine.begin_at_once, function, *args, **kw)
        except _MISTAKES:
            raise
        except peewee.PeeweeException as error:
            raise self.engine.explain(error) from error
        finally:
            self._note(time.monotonic() - began)

    def _note(self, seconds: float) -> None:
        if not self._pace.spent:
            asyncio.get_running_loop().call_soon(self._pace.turn)
        self._pace.note(seconds)

    def _may_try_again(self, problem: Exception, error: BaseException, tries: int) -> bool:
        remedy = self.engine.remedy(error)
        if remedy == "reconnect":
            was_connected = not self.engine.peewee.is_closed()
            self._drop_connection()
            return was_connected and isinstance(problem, NotBegun) and tries == 1
        return remedy == "again" and tries < MOST_TRIES

    def _drop_connection(self) -> None:
        with contextlib.suppress(Exception):  # it is broken: how exactly does not matter
            self.engine.peewee.close()


def _refuse(answer: asyncio.Future[T], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)


def _give_up(answer: asyncio.Future[T]) -> None:
    _refuse(answer, Unavailable("The database takes too long to answer.", retry_after=5.0))


def _engine(where: Path | str, synchronous: str) -> Engine:
    text = str(where)
    if text.startswith(("postgresql://", "postgres://")):
        from gpugen_server.database.postgres import Postgres

        return Postgres(text)
    return Sqlite(Path(text), synchronous)
