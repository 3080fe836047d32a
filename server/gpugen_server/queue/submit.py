"""Put a request in the queue, once."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.errors import GpugenError, IdempotencyConflict
from gpugen_protocol.events import PhaseEvent, StateEvent
from gpugen_protocol.request import ResolvedRequest, TaskRequest
from gpugen_protocol.task import Task
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.queue import ids, inputs, order, records, waiting
from gpugen_server.queue.limits import Limits
from gpugen_server.queue.order import Lane
from gpugen_server.queue.records import Record
from gpugen_server.queue.waiting import Wait, Waiting

# It takes the numbers 1 and 2 for the events that tell of it.
_INSERT = f"""
INSERT INTO tasks (
  state, phase, phase_text, attempt, released, cancel, last_seq, closed,
  id, owner, group_name, priority, turn, place, model, width, height, work, memory, prompt, request,
  idempotency_key, body_hash, max_attempts, retry_of, created_at
) VALUES ('queued', 'queued', ?, 0, 0, 0, 2, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING {records.COLUMNS}
"""  # noqa: S608
_LAST = 2**62  # no task has so high a number: a new one is the last of its place
_KEY = "SELECT id, body_hash FROM tasks WHERE owner = ? AND idempotency_key = ?"
_LANE = """
SELECT served,
  EXISTS (SELECT 1 FROM tasks WHERE attempt > 0 AND turn = served AND owner = ? AND priority = ?),
  (SELECT max(turn) FROM tasks WHERE state = 'queued' AND owner = ? AND priority = ?),
  (SELECT turn FROM past)
FROM (SELECT max(turn) AS served FROM tasks WHERE attempt > 0) AS last
"""


class Submission(Struct, frozen=True, kw_only=True):
    """What is to be put in the queue, for whom.

    Attributes:
        asked: the request as it was sent; the same key must always come with the same one.
        resolved: the same with every blank filled.
        memory: bytes of memory a worker needs for it; 0: not known.
        key: the Idempotency-Key, unique within the user.
        refusal: why the user may not have a new task now; the one that `key` names already is answered.
    """

    user: str
    asked: TaskRequest
    resolved: ResolvedRequest
    max_attempts: int
    memory: int = 0
    key: str | None = None
    retry_of: str | None = None
    refusal: GpugenError | None = None

    @property
    def priority(self) -> int:
        """What was asked for; else 0, and less for the many tasks of a group."""
        if self.asked.priority is not None:
            return self.asked.priority
        return 0 if self.asked.group is None else order.GROUP_PRIORITY

    @property
    def body_hash(self) -> str:
        """What `asked` is compared by."""
        return hashlib.sha256(wire.encode(self.asked)).hexdigest()


class Submitted(Struct, frozen=True):
    """The id of a task, and of a new one its row and what it waits for."""

    task: str
    record: Record | None = None
    wait: Wait | None = None

    @property
    def new(self) -> bool:
        """Whether it was not there before."""
        return self.record is not None

    def show(self, store: Store, user: str, live_after: float) -> Task:
        """The task as its `user` sees it."""
        record = self.record or records.find(store, self.task, user)
        return records.show(store, record, live_after, wait=self.wait)


def submit(
    store: Store,
    submission: Submission,
    live_after: float,
    limits: Limits = Limits(),  # noqa: B008 - no limits
) -> Submitted:
    """Store the task, unless its key names one that is there.

    Workers seen since `live_after` (seconds since the epoch) count as there.

    Raises:
        IdempotencyConflict: the key was used with another request.
        InvalidRequest: it starts from an image that is not there.
        TooManyTasks: a cap is reached; or what `submission.refusal` says.
    """
    store.alone(f"submits of {submission.user}")  # two at once could get the same turn, or use one key twice
    known = _find(store, submission) if submission.key else None
    if known is not None:
        return Submitted(known)
    if submission.refusal is not None:
        raise submission.refusal
    limits.check(store, submission.user)
    turn = order.turn(_lane(store, submission), submission.priority)
    wait = _outlook(store, submission, turn, live_after)
    record = _insert(store, submission, turn, wait.text)
    inputs.use(store, record.num, submission.user, submission.resolved)
    _tell(store, record, wait)
    return Submitted(record.id, record, wait)


def _tell(store: Store, record: Record, wait: Wait) -> None:
    task, at, key = record.id, store.at, record.key
    log.write(store, key, StateEvent(task=task, at=at, seq=1, state="queued"))
    data = wait.data
    log.write(store, key, PhaseEvent(task=task, at=at, seq=2, phase="queued", text=wait.text, data=data))


def _outlook(store: Store, submission: Submission, turn: int, live_after: float) -> Wait:
    """What the task will wait for."""
    request = submission.resolved
    asked = Waiting(
        place=order.place(turn, submission.priority),
        num=_LAST,
        model=request.model,
        width=request.width,
        height=request.height,
        work=request.n * request.steps,
        memory=submission.memory,
    )
    return waiting.why(store, asked, live_after)


def _lane(store: Store, submission: Submission) -> Lane:
    lane = (submission.user, submission.priority)
    ((served, served_here, waiting, over),) = store.rows(_LANE, *lane, *lane)
    return Lane(
        served=-1 if served is None else served,
        served_here=bool(served_here),
        waiting=-1 if waiting is None else waiting,
        over=-1 if over is None else over,
    )


def _find(store: Store, submission: Submission) -> str | None:
    found = store.row(_KEY, submission.user, submission.key)
    if found is None:
        return None
    if found[1] != submission.body_hash:
        raise IdempotencyConflict(
            f"The Idempotency-Key {submission.key!r} already belongs to task {found[0]}, which asks for "
            "something else.",
            hint="Use a new key for a new request.",
        )
    return str(found[0])


def _insert(store: Store, submission: Submission, turn: int, text: str) -> Record:
    request, asked = submission.resolved, submission.asked
    (row,) = store.rows(
        _INSERT,
        text,
        ids.ulid(),
        submission.user,
        asked.group,
        submission.priority,
        turn,
        order.place(turn, submission.priority),
        request.model,
        request.width,
        request.height,
        request.n * request.steps,
        submission.memory,
        request.prompt,
        wire.encode(request).decode(),
        submission.key,
        submission.body_hash,
        submission.max_attempts,
        submission.retry_of,
        store.now,
    )
    return Record(*row)
