"""A connection to PostgreSQL, spoken to by libpq's own functions.

psycopg makes the connection and turns values into PostgreSQL's and back. Its cursors are left out: they cost
three times what a statement needs, and send BEGIN and COMMIT each on a way of their own. Here BEGIN travels
with the first statement of a transaction, COMMIT with the last ones, and every statement is prepared once.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any

import psycopg
from msgspec import Struct
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult

Statement = tuple[str, Sequence[Any]]
# What is prepared: a text for values of these types. An integer's depends on its size.
Key = tuple[str, tuple[int, ...] | None]
_MOST_PREPARED = 500  # statements; a server has some eighty, in a few variants
_BEGIN: Statement = ("BEGIN", ())
_COMMIT: Statement = ("COMMIT", ())
_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
_BEGUN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


class Call(Struct, frozen=True):
    """A statement with its values as they are sent."""

    key: Key
    values: Sequence[Any]
    formats: Sequence[Format] | None


class Answer:
    """What a statement gave; all of it has arrived.

    Attributes:
        rowcount: how many rows it changed or found.
    """

    __slots__ = ("_result", "_values", "rowcount")

    def __init__(self, result: PGresult, values: Any) -> None:
        self._result = result
        self._values = values
        self.rowcount = result.command_tuples or 0

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Its rows."""
        self._values.set_pgresult(self._result)
        rows: list[tuple[Any, ...]] = self._values.load_rows(0, self._result.ntuples, tuple)
        return rows


class Session:
    """What one thread says on `connection`, of which each statement outside a transaction is one by itself.

    Everything raises `psycopg.Error`, as psycopg would.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        connection.prepare_threshold = None  # so that all that is prepared here is ours to forget
        self.connection = connection
        self._libpq = connection.pgconn
        self._values = Transformer(connection)
        self._names: dict[Key, bytes] = {}
        self._numbers = count()
        self._to_begin = False

    @property
    def was_gone(self) -> bool:
        """Whether the connection turned out to be broken before anything was done on it."""
        return self._to_begin and self._libpq.status != ConnStatus.OK

    def begin(self) -> None:
        """A transaction begins with the next statement."""
        if len(self._names) > _MOST_PREPARED:
            self._forget()
        self._to_begin = True

    def begin_now(self) -> None:
        """It begins at once: somebody else sends the next statement."""
        if self._to_begin:
            _check(self._libpq.exec_(b"BEGIN"))
            self._to_begin = False

    def execute(self, sql: str, params: Sequence[Any]) -> Answer:
        """One statement, with `?` for its parameters."""
        begin = [_BEGIN] if self._to_begin else []
        result = self._at_once([*begin, (sql, params)])
        self._to_begin = False
        return Answer(result, self._values)

    def commit(self, last: Sequence[Statement] = ()) -> None:
        """Send the `last` statements, and commit if they go well."""
        if last:
            self.begin_now()
        if not self._to_begin:
            self._at_once([*last, _COMMIT])

    def roll_back(self) -> None:
        """Undo what was done since the begin; a connection that broke has done so."""
        if self._libpq.transaction_status in _BEGUN:
            _check(self._libpq.exec_(b"ROLLBACK"))

    def _at_once(self, statements: Sequence[Statement]) -> PGresult:
        """Send all before any is answered; gives the last's result. None is done after one that fails."""
        calls = [self._call(*statement) for statement in statements]
        new: dict[Key, bytes] = {}
        self._libpq.enter_pipeline_mode()
        try:
            for call in calls:
                self._post(call, new)
            self._libpq.pipeline_sync()
            results = self._collect()
        except BaseException:
            self._libpq.finish()  # what is still to come would be taken for the answer to something else
            raise
        for result in results:
            _check(result)
        if self._libpq.status != ConnStatus.OK:
            raise psycopg.OperationalError(self._libpq.get_error_message())
        self._names.update(new)
        return results[-1]

    def _call(self, sql: str, params: Sequence[Any]) -> Call:
        values = self._values.dump_sequence(_storable(params), (PyFormat.AUTO,) * len(params))
        return Call((sql, self._values.types), values, self._values.formats)

    def _post(self, call: Call, new: dict[Key, bytes]) -> None:
        """Send one; first what prepares it, if nothing has yet: such names are noted in `new`."""
        name = self._names.get(call.key) or new.get(call.key)
        if name is None:
            name = new[call.key] = b"gpugen%d" % next(self._numbers)
            sql, types = call.key
            self._libpq.send_prepare(name, _numbered(sql), types)
        self._libpq.send_query_prepared(name, call.values, call.formats)

    def _collect(self) -> list[PGresult]:
        """A result for each statement that was sent, fewer if the connection breaks."""
        results: list[PGresult] = []
        while True:
            self._wait()
            result = self._libpq.get_result()
            if result is None:
                if self._libpq.status != ConnStatus.OK:
                    return results
            elif result.status == ExecStatus.PIPELINE_SYNC:
                self._libpq.exit_pipeline_mode()
                return results
            else:
                results.append(result)

    def _wait(self) -> None:
        """Until the next result is there: libpq would wait itself, but hold all of Python's threads up."""
        while self._libpq.is_busy():
            _wait_for(self._libpq.socket, unsent=bool(self._libpq.flush()))
            with suppress(psycopg.OperationalError):  # the next result says more
                self._libpq.consume_input()

    def _forget(self) -> None:
        _check(self._libpq.exec_(b"DEALLOCATE ALL"))
        self._names.clear()


def _wait_for(socket: int, *, unsent: bool) -> None:
    """Until `socket` can be read, or takes more of what is `unsent`; the selectors of Python cost four times
    as much for one socket.
    """
    if sys.platform == "win32":
        select.select([socket], [socket] if unsent else [], [])
        return
    poll = select.poll()
    poll.register(socket, select.POLLIN | (select.POLLOUT if unsent else 0))
    poll.poll()


def _storable(params: Sequence[Any]) -> list[Any]:
    """PostgreSQL's texts hold every character but one, which nobody can miss."""
    return [each.replace("\0", "\ufffd") if isinstance(each, str) else each for each in params]


def _check(result: PGresult) -> None:
    if result.status in _GOOD:
        return
    if result.error_field(DiagnosticField.SQLSTATE):
        raise error_from_result(result)
    raise psycopg.OperationalError(result.get_error_message())


@cache
def _numbered(sql: str) -> bytes:
    """Statements are few texts, written once each; none has a question mark that is not a parameter."""
    first, *rest = sql.split("?")
    return "".join([first, *(f"${place}{text}" for place, text in enumerate(rest, 1))]).encode()
