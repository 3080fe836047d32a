"""The storage layer, and the very statements that it sends, without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from gpugen_protocol.worker import Completion, SessionRequest
from gpugen_server.database import Database, Store
from gpugen_server.queue import finish, workers
from gpugen_server.queue.claim import Claimer, claim

Statement = tuple[str, tuple[Any, ...]]
_DONE = Completion(loading_seconds=0.0, drawing_seconds=0.1)


class Layer:
    """A worker that finishes its task and claims the next, in one transaction of our own functions."""

    def __init__(self, where: Path | str) -> None:
        self._database = Database(where, "NORMAL")
        self._database.migrate()
        request = SessionRequest(name="bench", models=("emoji",), version="0")
        worker = self._database.call(workers.register, request, "workers")
        self._claimer = Claimer(worker=worker, models=("emoji",), count=1, lease_seconds=30.0)
        (lease,) = self._database.call(claim, self._claimer)
        self._lease = lease.id

    def step(self) -> None:
        """One task."""
        self._lease = self._database.call(self._next)

    def close(self) -> None:
        """Hang up."""
        self._database.disconnect()

    def _next(self, store: Store) -> str:
        finish.complete(store, self._lease, self._claimer.worker, _DONE)
        (lease,) = claim(store, self._claimer)
        return lease.id


class Recording(Layer):
    """The same, writing down what it sends.

    Args:
        where: an SQLite file.
        begun: where a copy of it goes as it is before what is recorded, with the task that is finished first.
    """

    def __init__(self, where: Path, begun: Path) -> None:
        super().__init__(where)
        with closing(sqlite3.connect(where)) as source, closing(sqlite3.connect(begun)) as target:
            source.backup(target)

    def take(self, steps: int) -> list[list[Statement]]:
        """The statements of each of `steps` transactions."""
        taken = []
        for _ in range(steps):
            self._sent: list[Statement] = []
            self.step()
            taken.append(self._sent)
        return taken

    def _next(self, store: Store) -> str:
        execute = store._execute
        store._execute = lambda sql, params: (self._sent.append((sql, params)), execute(sql, params))[1]
        return super()._next(store)


class Replay:
    """Sends recorded statements, a transaction a step, and reads what they give.

    Args:
        begun: the file that the recording began with.
    """

    def __init__(self, begun: Path, transactions: list[list[Statement]]) -> None:
        self._connection = sqlite3.connect(begun, isolation_level=None)
        self._connection.executescript("PRAGMA journal_mode = wal; PRAGMA synchronous = NORMAL")
        self._left = iter(transactions)
        self._steps = 0

    def step(self) -> None:
        """One transaction."""
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        for sql, params in next(self._left):
            cursor.execute(sql, params).fetchall()
        cursor.execute("COMMIT")
        self._steps += 1

    def check(self) -> None:
        """See that every step has finished a task, as it did when it was recorded."""
        ((finished,),) = self._connection.execute("SELECT count(*) FROM tasks WHERE state = 'succeeded'")
        assert finished == self._steps, f"{finished} tasks are finished after {self._steps} steps"
