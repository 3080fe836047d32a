"""Looks into the server's database from outside, and lets the database itself write down every change."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.chaos.history import History

# A trigger runs in the transaction of the change: what is committed is written down, and nothing else.
_AUDIT = (
    """CREATE TABLE IF NOT EXISTS chaos_changes (
         num INTEGER PRIMARY KEY, task TEXT, was TEXT, state TEXT, was_attempt INTEGER, attempt INTEGER,
         ended_lease TEXT, ended_as TEXT)""",
    """CREATE TRIGGER IF NOT EXISTS chaos_writes AFTER UPDATE OF state, attempt, ended_lease ON tasks
       BEGIN INSERT INTO chaos_changes (task, was, state, was_attempt, attempt, ended_lease, ended_as)
       VALUES (new.id, old.state, new.state, old.attempt, new.attempt, new.ended_lease, new.ended_as); END""",
)
_TASKS = """
SELECT id AS task, idempotency_key AS key, state, attempt, ended_lease, ended_as, request FROM tasks
"""
_OPEN = "SELECT count(*) FROM tasks WHERE state IN ('queued', 'running')"


class Ledger:
    """The SQLite file of a server."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self) -> None:
        """From now on every change of a task's state is written down."""
        for statement in _AUDIT:
            self._rows(statement)

    def unfinished(self) -> int:
        """How many tasks have not ended."""
        return int(self._rows(_OPEN)[0]["count(*)"])

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

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql)]
