"""The tables as peewee models: what they are made from, and what cold queries are written with.

Hot statements (submit, claim, lease, report, finish) are SQL texts beside their functions: building a model
query costs ten times the statement itself.
"""

from __future__ import annotations

import threading
from typing import Any

import peewee
from peewee import SQL, FloatField, IntegerField, TextField

_binding = threading.Lock()  # peewee binds models to a database globally, and only creation needs it


class TaskRow(peewee.Model):
    """A task. `num` is its place in the order of arrival; times are seconds since the epoch.

    Attributes:
        lease: the current attempt's lease, null when nobody works on it.
        ended_lease: the last lease that was ended, and how: the same post sent twice gets the same answer.
        attempt: claims so far; it only grows, and fences off whoever held an earlier one.
        released: those of them that were given back and do not count against the task.
        closed: 1 once the terminal event is written; no event can follow it.
    """

    num = peewee.AutoField()
    id = TextField(unique=True)
    user = TextField()
    group = TextField(null=True, column_name="group_name")
    priority = IntegerField()
    state = TextField()
    phase = TextField()
    phase_text = TextField()
    model = TextField()
    width = IntegerField()
    height = IntegerField()
    request = TextField()
    idempotency_key = TextField(null=True)
    body_hash = TextField()
    attempt = IntegerField(default=0)
    released = IntegerField(default=0)
    max_attempts = IntegerField()
    lease = TextField(null=True)
    lease_until = FloatField(null=True)
    ended_lease = TextField(null=True)
    ended_as = TextField(null=True)
    worker = TextField(null=True)
    cancel = IntegerField(default=0)
    progress = TextField(null=True)
    error = TextField(null=True)
    retry_of = TextField(null=True)
    created_at = FloatField()
    started_at = FloatField(null=True)
    finished_at = FloatField(null=True)
    loading_seconds = FloatField(null=True)
    drawing_seconds = FloatField(null=True)
    last_seq = IntegerField(default=0)
    closed = IntegerField(default=0)

    class Meta:
        """Where the rows are."""

        table_name = "tasks"


class EventRow(peewee.Model):
    """A numbered event, stored as the very bytes that watchers get."""

    task = IntegerField(column_name="task_num")
    seq = IntegerField()
    body = peewee.BlobField()

    class Meta:
        """Where the rows are."""

        table_name = "events"
        primary_key = peewee.CompositeKey("task", "seq")
        without_rowid = True


class ImageRow(peewee.Model):
    """The accepted image `idx` of a task; `file` is its place in the image store.

    Attributes:
        source: SHA-256 of the bytes the worker sent, before they were encoded anew.
    """

    task = IntegerField(column_name="task_num")
    idx = IntegerField()
    attempt = IntegerField()
    seed = IntegerField()
    width = IntegerField()
    height = IntegerField()
    bytes = IntegerField()
    sha256 = TextField()
    source = TextField()
    file = TextField()

    class Meta:
        """Where the rows are."""

        table_name = "images"
        primary_key = peewee.CompositeKey("task", "idx")
        without_rowid = True


class WorkerRow(peewee.Model):
    """A worker's session."""

    id = TextField(primary_key=True)
    name = TextField()
    models = TextField()
    memory_bytes = IntegerField()
    device = TextField()
    version = TextField()
    libraries = TextField()
    user = TextField()
    started_at = FloatField()
    seen_at = FloatField(index=True)

    class Meta:
        """Where the rows are."""

        table_name = "workers"
        without_rowid = True


class TokenRow(peewee.Model):
    """A token: only its SHA-256 is kept.

    Attributes:
        worker: whose session token it is; null on all others.
        parent: the token that opened the session: it ends the session when it ends.
    """

    id = TextField(primary_key=True)
    hash = TextField(unique=True)
    scope = TextField()
    user = TextField()
    name = TextField()
    worker = TextField(null=True)
    parent = TextField(null=True)
    created_at = FloatField()
    expires_at = FloatField(null=True)
    revoked_at = FloatField(null=True)
    last_used_at = FloatField(null=True)

    class Meta:
        """Where the rows are."""

        table_name = "tokens"
        without_rowid = True


MODELS: tuple[Any, ...] = (TaskRow, EventRow, ImageRow, WorkerRow, TokenRow)

# Partial indexes: they hold only the tasks that still move, so claims stay fast behind a long history.
INDEXES = (
    "CREATE INDEX tasks_queued ON tasks (priority DESC, num) WHERE state = 'queued'",
    "CREATE INDEX tasks_running ON tasks (lease_until) WHERE state = 'running'",
    "CREATE UNIQUE INDEX tasks_key ON tasks (user, idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE INDEX tasks_user ON tasks (user, num)",
    "CREATE INDEX tasks_group ON tasks (group_name, num) WHERE group_name IS NOT NULL",
    "CREATE INDEX tasks_timed ON tasks (model, width, height, num) WHERE state = 'succeeded'",
)


def create(database: Any) -> None:
    """Make all tables and indexes in an empty database."""
    with _binding, database.bind_ctx(MODELS):
        database.create_tables(MODELS, safe=False)
    for statement in INDEXES:
        database.execute(SQL(statement))
