"""The tables as peewee models: what a row means, and what cold queries are written with.

Hot statements (submit, claim, lease, report, finish) are SQL texts beside their functions: building a model
query costs ten times the statement itself. The tables themselves are made by the steps of the schema.
"""

from __future__ import annotations

from typing import Any

import peewee
from peewee import BigIntegerField, DoubleField, IntegerField, TextField


class TaskRow(peewee.Model):
    """A task. `num` is its place in the order of arrival; times are seconds since the epoch.

    Attributes:
        work: steps of all its images together.
        memory: bytes of memory a worker needs for it; 0: not known.
        turn, place: its place in the queue, see queue/order.py.
        passed_at: when another task was first preferred to it at the head of the queue.
        lease: the current attempt's lease, null when nobody works on it.
        ended_lease: the last lease that was ended, and how: the same post sent twice gets the same answer.
        attempt: claims so far; it only grows, and fences off whoever held an earlier one.
        released: those of them that were given back and do not count against the task.
        closed: 1 once the terminal event is written; no event can follow it.
        pruned: the number of the last event that was removed for its age; 0: none.
    """

    num = peewee.AutoField()
    id = TextField(unique=True)
    owner = TextField()
    group = TextField(null=True, column_name="group_name")
    priority = IntegerField()
    state = TextField()
    phase = TextField()
    phase_text = TextField()
    model = TextField()
    width = IntegerField()
    height = IntegerField()
    request = TextField()
    prompt = TextField()
    work = BigIntegerField()
    memory = BigIntegerField()
    turn = BigIntegerField()
    place = BigIntegerField()
    passed_at = DoubleField(null=True)
    idempotency_key = TextField(null=True)
    body_hash = TextField()
    attempt = IntegerField(default=0)
    released = IntegerField(default=0)
    max_attempts = IntegerField()
    lease = TextField(null=True)
    lease_until = DoubleField(null=True)
    ended_lease = TextField(null=True)
    ended_as = TextField(null=True)
    worker = TextField(null=True)
    cancel = IntegerField(default=0)
    progress = TextField(null=True)
    error = TextField(null=True)
    retry_of = TextField(null=True)
    created_at = DoubleField()
    started_at = DoubleField(null=True)
    finished_at = DoubleField(null=True)
    loading_seconds = DoubleField(null=True)
    drawing_seconds = DoubleField(null=True)
    last_seq = IntegerField(default=0)
    closed = IntegerField(default=0)
    pruned = IntegerField(default=0)

    class Meta:
        """Where the rows are."""

        table_name = "tasks"


class EventRow(peewee.Model):
    """A numbered event, stored as the very bytes that watchers get."""

    task = BigIntegerField(column_name="task_num")
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

    task = BigIntegerField(column_name="task_num")
    idx = IntegerField()
    attempt = IntegerField()
    seed = BigIntegerField()
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
    """A worker's session.

    Attributes:
        max_pixels: the largest image it draws; 0: any.
        failures: tasks in a row that failed by its fault, `failed_task` the last of them.
        set_aside_until: until then it gets no tasks.
        draining: 1 once it gets no more tasks, for its machine goes.
    """

    id = TextField(primary_key=True)
    name = TextField()
    models = TextField()
    memory_bytes = BigIntegerField()
    max_pixels = BigIntegerField(default=0)
    device = TextField()
    version = TextField()
    libraries = TextField()
    owner = TextField()
    started_at = DoubleField()
    seen_at = DoubleField(index=True)
    failures = IntegerField(default=0)
    failed_task = BigIntegerField(null=True)
    set_aside_until = DoubleField(null=True)
    draining = IntegerField(default=0)

    class Meta:
        """Where the rows are."""

        table_name = "workers"
        without_rowid = True


class TokenRow(peewee.Model):
    """A token: only its SHA-256 is kept.

    Attributes:
        worker: whose session token it is; null on all others.
        parent: the token it was made with: a session and a user's narrower token end when that one ends.
        uses_left: of a one-time registration token 1, later 0; null on all others.
        machine: the machine whose worker registers with it; null on all others.
    """

    id = TextField(primary_key=True)
    hash = TextField(unique=True)
    scope = TextField()
    owner = TextField()
    name = TextField()
    worker = TextField(null=True)
    parent = TextField(null=True)
    created_at = DoubleField()
    expires_at = DoubleField(null=True)
    revoked_at = DoubleField(null=True)
    last_used_at = DoubleField(null=True)
    uses_left = IntegerField(null=True)
    machine = TextField(null=True)

    class Meta:
        """Where the rows are."""

        table_name = "tokens"
        without_rowid = True


class DutyRow(peewee.Model):
    """What one of several servers does for all of them, and until when it is that one's to do."""

    name = TextField(primary_key=True)
    holder = TextField()
    until = DoubleField()

    class Meta:
        """Where the rows are."""

        table_name = "duties"
        without_rowid = True


class MachineRow(peewee.Model):
    """A machine of the autoscaler, see autoscale/machine.py for what is not said here.

    Attributes:
        text: where it is, for people.
        reason: why it ended.
        failed: 1 if it ended without having been of use.
    """

    id = TextField(primary_key=True)
    name = TextField()
    provider = TextField()
    place = TextField()
    text = TextField()
    operation = TextField()
    hourly = DoubleField()
    worker = TextField(null=True)
    created_at = DoubleField()
    asked_at = DoubleField(null=True)
    up_at = DoubleField(null=True)
    busy_at = DoubleField(null=True)
    ended_at = DoubleField(null=True)
    leaving = TextField()
    reason = TextField()
    failed = IntegerField()

    class Meta:
        """Where the rows are."""

        table_name = "machines"
        without_rowid = True


class TrashRow(peewee.Model):
    """A file that nobody needs, and since when; see queue/trash.py."""

    file = TextField(primary_key=True)
    since = DoubleField()

    class Meta:
        """Where the rows are."""

        table_name = "trash"
        without_rowid = True


MODELS: tuple[Any, ...] = (
    TaskRow,
    EventRow,
    ImageRow,
    WorkerRow,
    TokenRow,
    DutyRow,
    MachineRow,
    TrashRow,
)


def columns() -> dict[str, set[str]]:
    """The names of the columns of every table."""
    return {
        model._meta.table_name: {field.column_name for field in model._meta.sorted_fields} for model in MODELS
    }
