"""A queue that is full already: tasks put straight into a server's SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

from gpugen_protocol.models import parse_registry
from gpugen_protocol.request import TaskRequest
from gpugen_server.database import Database, tables
from gpugen_server.queue import submit
from gpugen_server.queue.submit import Submission

REQUEST = TaskRequest(prompt="a slice of pizza", width=64, height=64, steps=1)
USER = "bench"
WITH_IMAGE = 50_000  # tasks: more than a run can finish
_IMAGES = f"""
INSERT INTO images (task_num, idx, attempt, seed, width, height, bytes, sha256, source, file)
SELECT num, 0, 1, 1, 64, 64, 1, '', '', '' FROM tasks WHERE num <= {WITH_IMAGE}
"""


def submission() -> Submission:
    """A task that no key names."""
    resolved = parse_registry({}).resolve(REQUEST, 1)
    return Submission(user=USER, asked=REQUEST, resolved=resolved, max_attempts=3)


def fill(path: Path, count: int) -> None:
    """Queue `count` tasks like one that was submitted, each with the image that its first attempt will need.

    The image is a row alone: what is measured ends a task as a worker does, without the upload.
    """
    database = Database(path, "NORMAL")
    database.migrate()
    task = database.call(submit.submit, submission(), 0.0).task
    database.disconnect()
    with closing(sqlite3.connect(path)) as connection, connection:
        _multiply(connection, task, count)
        connection.execute(_IMAGES)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _multiply(connection: sqlite3.Connection, task: str, count: int) -> None:
    """Copies of a row, whatever columns it has: each with an id of its own, one place behind the other."""
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(tasks)") if name != "num"]
    new = {"id": "printf('%026d', n)", "turn": "n", "place": "n"}
    values = [new.get(name, name) for name in columns]
    connection.execute(
        f"""
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count - 1})
        INSERT INTO tasks ({", ".join(columns)}) SELECT {", ".join(values)} FROM tasks, numbers WHERE id = ?
        """,
        (task,),
    )


def fill_postgres(url: str, count: int) -> None:
    """The same in an empty database of PostgreSQL."""
    database = Database(url)
    database.migrate()
    task = database.call(submit.submit, submission(), 0.0).task
    database.disconnect()
    with psycopg.connect(url, autocommit=True) as connection:
        columns = [name for name in tables.columns()["tasks"] if name != "num"]
        new = {"id": "lpad(n::text, 26, '0')", "turn": "n", "place": "n"}
        values = [new.get(name, name) for name in columns]
        connection.execute(
            f"INSERT INTO tasks ({', '.join(columns)}) SELECT {', '.join(values)}"
            f" FROM tasks, generate_series(1, {count - 1}) AS n WHERE id = %s",
            (task,),
        )
        connection.execute(_IMAGES)
        connection.execute("VACUUM ANALYZE")
