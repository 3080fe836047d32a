"""Put a request in the queue, once."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.errors import IdempotencyConflict
from gpugen_protocol.events import PhaseEvent, StateEvent
from gpugen_protocol.request import ResolvedRequest, TaskRequest
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import ids, inputs, waiting

_INSERT = """
INSERT INTO tasks (
  state, phase, phase_text, attempt, released, cancel, last_seq, closed,
  id, user, group_name, priority, model, width, height, request,
  idempotency_key, body_hash, max_attempts, retry_of, created_at
) VALUES ('queued', 'queued', '', 0, 0, 0, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING num
"""


class Submission(Struct, frozen=True, kw_only=True):
    """What is to be put in the queue, for whom.

    Attributes:
        asked: the request as it was sent; the same key must always come with the same one.
        resolved: the same with every blank filled.
        key: the Idempotency-Key, unique within the user.
    """

    user: str
    asked: TaskRequest
    resolved: ResolvedRequest
    max_attempts: int
    key: str | None = None
    retry_of: str | None = None

    @property
    def body_hash(self) -> str:
        """What `asked` is compared by."""
        return hashlib.sha256(wire.encode(self.asked)).hexdigest()


def submit(store: Store, submission: Submission, live_after: float) -> tuple[str, bool]:
    """Store the task; gives its id and whether it is new.

    Workers seen since `live_after` (seconds since the epoch) count as there.

    Raises:
        IdempotencyConflict: the key was used with another request.
        InvalidRequest: it starts from an image that is not there.
    """
    known = _find(store, submission) if submission.key else None
    if known is not None:
        return known, False
    task = _insert(store, submission)
    inputs.use(store, task.num, submission.user, submission.resolved)
    log.append(store, task, StateEvent, state="queued")
    position = waiting.positions(store).get(task.num)
    text = waiting.text(store, submission.resolved.model, live_after, position)
    log.append(store, task, PhaseEvent, phase="queued", text=text)
    return task.id, True


def _find(store: Store, submission: Submission) -> str | None:
    found = store.row(
        "SELECT id, body_hash FROM tasks WHERE user = ? AND idempotency_key = ?",
        submission.user,
        submission.key,
    )
    if found is None:
        return None
    if found[1] != submission.body_hash:
        raise IdempotencyConflict(
            f"The Idempotency-Key {submission.key!r} already belongs to task {found[0]}, which asks for "
            "something else.",
            hint="Use a new key for a new request.",
        )
    return str(found[0])


def _insert(store: Store, submission: Submission) -> TaskKey:
    request, asked = submission.resolved, submission.asked
    task = ids.ulid()
    num = store.value(
        _INSERT,
        task,
        submission.user,
        asked.group,
        asked.priority,
        request.model,
        request.width,
        request.height,
        wire.encode(request).decode(),
        submission.key,
        submission.body_hash,
        submission.max_attempts,
        submission.retry_of,
        store.now,
    )
    return TaskKey(num, task, submission.user)
