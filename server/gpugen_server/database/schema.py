"""The tables, as the steps that bring a database of any age up to date. Each is a list of statements.

The same statements serve both databases; what their types are called differs (`Engine.types`).
"""

from __future__ import annotations

import json

from gpugen_protocol.errors import Misconfigured
from gpugen_server.database import tables
from gpugen_server.database.engine import Engine
from gpugen_server.database.store import Store

# gpugen 0.1.0. Until then only SQLite was there, so `user`, a keyword of PostgreSQL, needs its quotes.
_FIRST = (
    """CREATE TABLE tasks (
      num {serial}, id TEXT NOT NULL, "user" TEXT NOT NULL, group_name TEXT, priority INTEGER NOT NULL,
      state TEXT NOT NULL, phase TEXT NOT NULL, phase_text TEXT NOT NULL, model TEXT NOT NULL,
      width INTEGER NOT NULL, height INTEGER NOT NULL, request TEXT NOT NULL, idempotency_key TEXT,
      body_hash TEXT NOT NULL, attempt INTEGER NOT NULL, released INTEGER NOT NULL,
      max_attempts INTEGER NOT NULL, lease TEXT, lease_until DOUBLE PRECISION, ended_lease TEXT,
      ended_as TEXT, worker TEXT, cancel INTEGER NOT NULL, progress TEXT, error TEXT, retry_of TEXT,
      created_at DOUBLE PRECISION NOT NULL, started_at DOUBLE PRECISION, finished_at DOUBLE PRECISION,
      loading_seconds DOUBLE PRECISION, drawing_seconds DOUBLE PRECISION, last_seq INTEGER NOT NULL,
      closed INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX taskrow_id ON tasks (id)",
    """CREATE TABLE events (
      task_num BIGINT NOT NULL, seq INTEGER NOT NULL, body {blob} NOT NULL,
      PRIMARY KEY (task_num, seq)){without_rowid}""",
    """CREATE TABLE images (
      task_num BIGINT NOT NULL, idx INTEGER NOT NULL, attempt INTEGER NOT NULL, seed BIGINT NOT NULL,
      width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
      source TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY (task_num, idx)){without_rowid}""",
    """CREATE TABLE workers (
      id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, models TEXT NOT NULL, memory_bytes BIGINT NOT NULL,
      device TEXT NOT NULL, version TEXT NOT NULL, libraries TEXT NOT NULL, "user" TEXT NOT NULL,
      started_at DOUBLE PRECISION NOT NULL, seen_at DOUBLE PRECISION NOT NULL){without_rowid}""",
    "CREATE INDEX workerrow_seen_at ON workers (seen_at)",
    """CREATE TABLE tokens (
      id TEXT NOT NULL PRIMARY KEY, hash TEXT NOT NULL, scope TEXT NOT NULL, "user" TEXT NOT NULL,
      name TEXT NOT NULL, worker TEXT, parent TEXT, created_at DOUBLE PRECISION NOT NULL,
      expires_at DOUBLE PRECISION, revoked_at DOUBLE PRECISION,
      last_used_at DOUBLE PRECISION){without_rowid}""",
    "CREATE UNIQUE INDEX tokenrow_hash ON tokens (hash)",
    # Partial indexes: they hold only the tasks that still move, so claims stay fast behind a long history.
    "CREATE INDEX tasks_queued ON tasks (priority DESC, num) WHERE state = 'queued'",
    "CREATE INDEX tasks_running ON tasks (lease_until) WHERE state = 'running'",
    'CREATE UNIQUE INDEX tasks_key ON tasks ("user", idempotency_key) WHERE idempotency_key IS NOT NULL',
    'CREATE INDEX tasks_user ON tasks ("user", num)',
    "CREATE INDEX tasks_group ON tasks (group_name, num) WHERE group_name IS NOT NULL",
    "CREATE INDEX tasks_timed ON tasks (model, width, height, num) WHERE state = 'succeeded'",
)

# Images that tasks start from.
_INPUTS = (
    """CREATE TABLE inputs (
      id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
      bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, file TEXT NOT NULL, used_at DOUBLE PRECISION NOT NULL)""",
    "CREATE UNIQUE INDEX inputs_content ON inputs (owner, sha256)",
    "CREATE TABLE task_inputs (task_num BIGINT NOT NULL, input TEXT NOT NULL, PRIMARY KEY (task_num, input))",
    "CREATE INDEX task_inputs_input ON task_inputs (input)",
)

# The order of the queue as one number (queue/order.py), what a task needs of a worker, duties that one of
# several servers holds, and columns instead of looks into JSON, which the databases would spell differently.
_ORDER = (
    *(f'ALTER TABLE {table} RENAME COLUMN "user" TO owner' for table in ("tasks", "workers", "tokens")),
    "ALTER TABLE tasks ADD COLUMN prompt TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE tasks ADD COLUMN work BIGINT NOT NULL DEFAULT 1",
    "ALTER TABLE tasks ADD COLUMN memory BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE tasks ADD COLUMN turn BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE tasks ADD COLUMN place BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE tasks ADD COLUMN passed_at DOUBLE PRECISION",
    "ALTER TABLE tasks ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE workers ADD COLUMN max_pixels BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE workers ADD COLUMN failures INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE workers ADD COLUMN failed_task BIGINT",
    "ALTER TABLE workers ADD COLUMN set_aside_until DOUBLE PRECISION",
    "CREATE TABLE duties (name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL,"
    " until DOUBLE PRECISION NOT NULL){without_rowid}",
    "UPDATE tasks SET place = -10 * priority",
    "DROP INDEX tasks_queued",
    # With what the estimates add up, so that they need not look at the tasks themselves.
    "CREATE INDEX tasks_queued ON tasks (place, num, model, width, height, work) WHERE state = 'queued'",
    "CREATE INDEX tasks_lane ON tasks (owner, priority, turn) WHERE state = 'queued'",
    "CREATE INDEX tasks_turn ON tasks (turn, owner, priority) WHERE attempt > 0",
    "CREATE INDEX tasks_ended ON tasks (finished_at) WHERE finished_at IS NOT NULL",
    "DROP INDEX tasks_group",
    "CREATE INDEX tasks_group ON tasks (owner, group_name, num) WHERE group_name IS NOT NULL",
    "DROP INDEX tasks_running",
    "CREATE INDEX tasks_running ON tasks (lease_until, num) WHERE state = 'running'",
    "CREATE INDEX tasks_held ON tasks (worker) WHERE state = 'running'",
)

# Registration tokens that are good for one worker: how often one may still be used, null for any number.
_ONE_TIME = ("ALTER TABLE tokens ADD COLUMN uses_left INTEGER",)

# The last turn of which a task was removed (queue/order.py).
_PAST = (
    "CREATE TABLE past (turn BIGINT NOT NULL)",
    "INSERT INTO past (turn) VALUES (-1)",
)

# The machines of the autoscaler, from the wish to the end; tokens that one of them is given.
_MACHINES = (
    """CREATE TABLE machines (
      id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, provider TEXT NOT NULL, place TEXT NOT NULL,
      text TEXT NOT NULL, operation TEXT NOT NULL, hourly DOUBLE PRECISION NOT NULL, worker TEXT,
      created_at DOUBLE PRECISION NOT NULL, asked_at DOUBLE PRECISION, up_at DOUBLE PRECISION,
      busy_at DOUBLE PRECISION, ended_at DOUBLE PRECISION, leaving TEXT NOT NULL, reason TEXT NOT NULL,
      failed INTEGER NOT NULL){without_rowid}""",
    # Two rows may never stand for one machine at the same time.
    "CREATE UNIQUE INDEX machines_name ON machines (name) WHERE ended_at IS NULL",
    "CREATE INDEX machines_ended ON machines (ended_at)",
    "ALTER TABLE tokens ADD COLUMN machine TEXT",
    "ALTER TABLE workers ADD COLUMN draining INTEGER NOT NULL DEFAULT 0",
)

# Files that the image store has still to drop.
_TRASH = (
    "CREATE TABLE trash (file TEXT NOT NULL PRIMARY KEY, since DOUBLE PRECISION NOT NULL){without_rowid}",
    "CREATE INDEX trash_since ON trash (since)",
)

_REQUESTS = "SELECT num, request FROM tasks WHERE num > ? ORDER BY num LIMIT 1000"

# Step k turns version k into version k + 1. A step that was released is never edited: append a new one.
STEPS: tuple[tuple[str, ...], ...] = (_FIRST, _INPUTS, _ORDER, _ONE_TIME, _PAST, _MACHINES, _TRASH)
VERSION = len(STEPS)


def migrate(store: Store, engine: Engine, target: int = VERSION) -> int:
    """Take every missing step, all in this transaction; gives the version found.

    Raises:
        Misconfigured: the database is newer than this program.
    """
    engine.begin_migration(store)
    found = engine.version(store)
    _refuse_newer(engine, found)
    for step in STEPS[found:target]:
        for statement in step:
            store.change(statement.format(**engine.types))
        if step is _ORDER:
            _fill_columns(store)
    if found < target:
        engine.set_version(store, target)
    return found


def check(store: Store, engine: Engine) -> None:
    """See that the tables are those this program knows.

    Raises:
        Misconfigured: they are of another version, or not all there.
    """
    found = engine.version(store)
    _refuse_newer(engine, found)
    missing = {
        f"{table}.{column}"
        for table, columns in tables.columns().items()
        for column in columns - engine.columns(store, table)
    }
    if found < VERSION:
        state = f"has version {found}" if found else "is empty"
        raise Misconfigured(
            f"The database {engine.name} {state}; this gpugen needs {VERSION}.",
            hint="Run `gpugen db upgrade` once, with the same GPUGEN_DATABASE_URL.",
        )
    if missing:
        raise Misconfigured(
            f"The database {engine.name} lacks {', '.join(sorted(missing))}.",
            hint="Restore it from a backup.",
        )


def _refuse_newer(engine: Engine, found: int) -> None:
    if found > VERSION:
        raise Misconfigured(
            f"The database {engine.name} has version {found}; this gpugen knows {VERSION}.",
            hint="Install the gpugen that made it, or a newer one.",
        )


def _fill_columns(store: Store) -> None:
    """What `_ORDER` took out of the JSON, for tasks that are there already: a page of them at a time."""
    last = -1
    while page := store.rows(_REQUESTS, last):
        for num, text in page:
            request = json.loads(text)
            work = request["n"] * request["steps"]
            store.change("UPDATE tasks SET prompt = ?, work = ? WHERE num = ?", request["prompt"], work, num)
        last = page[-1][0]
