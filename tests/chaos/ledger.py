"""Looks into the server's database from outside, and lets the database itself write down every change."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from tests.chaos.history import History

# A trigger runs in the transaction of the change: what is committed is written down, and nothing else.
_CHANGES = """
CREATE TABLE chaos_changes (
  num {serial}, task TEXT, was TEXT, state TEXT, was_attempt INTEGER, attempt INTEGER,
  ended_lease TEXT, ended_as TEXT)
"""
_WRITE = """
INSERT INTO chaos_changes (task, was, state, was_attempt, attempt, ended_lease, ended_as)
VALUES (new.id, old.state, new.state, old.attempt, new.attempt, new.ended_lease, new.ended_as)
"""
_WHEN = "CREATE TRIGGER chaos_writes AFTER UPDATE OF state, attempt, ended_lease ON tasks"
_SQLITE = (_CHANGES.format(serial="INTEGER PRIMARY KEY"), f"{_WHEN} BEGIN {_WRITE}; END")
_POSTGRES = (
    _CHANGES.format(serial="BIGSERIAL PRIMARY KEY"),
    "CREATE FUNCTION chaos_write() RETURNS trigger LANGUAGE plpgsql AS"
    f" $$ BEGIN {_WRITE}; RETURN NULL; END $$",
    f"{_WHEN} FOR EACH ROW EXECUTE FUNCTION chaos_write()",
)
_TASKS = """
SELECT id AS task, idempotency_key AS key, state, attempt, ended_lease, ended_as, request FROM tasks
"""
_OPEN = "SELECT count(*) AS found FROM tasks WHERE state IN ('queued', 'running')"


class Ledger(ABC):
    """The database of a server."""

    audit: tuple[str, ...]

    def begin(self) -> None:
        """From now on every change of a task's state is written down."""
        for statement in self.audit:
            self._rows(statement)

    def unfinished(self) -> int:
        """How many tasks have not ended."""
        return int(self._rows(_OPEN)[0]["found"])

    def copy_to(self, history: History) -> None:
        """What the database knows: tasks, changes of their states, events and images."""
        for row in self._rows(_TASKS):
            request = json.loads(row.pop("request"))
            history.note("task", n=request["n"], **row)
        for row in self._rows("SELECT * FROM chaos_changes ORDER BY num"):
            history.note("change", **row)
        for row in self._rows(
            "SELECT id AS task, idx, images.attempt FROM images JOIN tasks ON num = task_num"
        ):
            history.note("image", **row)
        for row in self._rows("SELECT id AS task, seq, body FROM events JOIN tasks ON num = task_num"):
            event = json.loads(bytes(row["body"]))
            history.note(
                "event", task=row["task"], seq=row["seq"], type=event["type"], state=event.get("state")
            )

    @abstractmethod
    def _rows(self, sql: str) -> list[dict[str, Any]]:
        """What a statement gives."""


class SqliteLedger(Ledger):
    """The same in a file."""

    audit = _SQLITE

    def __init__(self, path: Path) -> None:
        self._path = path

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql)]


class PostgresLedger(Ledger):
    """The same at `url`."""

    audit = _POSTGRES

    def __init__(self, url: str) -> None:
        self._url = url

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []
