"""The tables, and the steps that bring an older database up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpugen_protocol.errors import Misconfigured
from gpugen_server import tables


def _first(database: Any) -> None:
    tables.create(database)


def _inputs(database: Any) -> None:
    """Images that tasks start from."""
    for statement in (
        "CREATE TABLE inputs (id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, width INTEGER NOT NULL,"
        " height INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, file TEXT NOT NULL,"
        " used_at DOUBLE PRECISION NOT NULL)",
        "CREATE UNIQUE INDEX inputs_content ON inputs (owner, sha256)",
        "CREATE TABLE task_inputs (task_num INTEGER NOT NULL, input TEXT NOT NULL,"
        " PRIMARY KEY (task_num, input))",
        "CREATE INDEX task_inputs_input ON task_inputs (input)",
    ):
        database.execute_sql(statement)


# Step k turns version k into version k + 1. A step that was released is never edited: append a new one.
MIGRATIONS: tuple[Callable[[Any], None], ...] = (_first, _inputs)
VERSION = len(MIGRATIONS)


def migrate(database: Any) -> None:
    """Take every missing step, all in one transaction.

    Raises:
        Misconfigured: the database is newer than this program.
    """
    with database.atomic("IMMEDIATE"):
        found = version(database)
        if found > VERSION:
            raise Misconfigured(
                f"The database {database.database} has version {found}; this gpugen knows {VERSION}.",
                hint="Install the gpugen that made it, or a newer one.",
            )
        for step in MIGRATIONS[found:]:
            step(database)
        database.execute_sql(f"PRAGMA user_version = {VERSION}")


def version(database: Any) -> int:
    """The version the database says it has; 0 for an empty one."""
    return int(database.execute_sql("PRAGMA user_version").fetchone()[0])
