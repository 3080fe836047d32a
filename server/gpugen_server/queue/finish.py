"""End an attempt: done, failed, or given back. Only the current lease can; a post sent twice counts once."""

from __future__ import annotations

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.errors import Conflict, LeaseLost
from gpugen_protocol.events import PhaseEvent, StateEvent
from gpugen_protocol.state import State
from gpugen_protocol.task import TaskFailure
from gpugen_protocol.worker import Completion, Failure
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue import foreign, ids, workers
from gpugen_server.queue import lease as leases
from gpugen_server.queue.lease import Held

# One statement that checks lease and state decides; whoever comes later finds no row. A task that was asked
# to stop ends canceled, whatever its attempt came to. It also takes the number of the event that tells of it.
_END = """
UPDATE tasks SET
  state = CASE cancel WHEN 0 THEN ? ELSE 'canceled' END,
  phase_text = CASE cancel WHEN 0 THEN ? ELSE 'canceled' END,
  error = CASE cancel WHEN 0 THEN ? END,
  phase = 'done', progress = NULL, finished_at = ?, loading_seconds = ?, drawing_seconds = ?,
  ended_lease = lease, ended_as = ?, lease = NULL, lease_until = NULL, last_seq = last_seq + 1, closed = 1
WHERE id = ? AND lease = ? AND coalesce(worker, '') = ? AND state = 'running'
RETURNING num, id, owner, last_seq, state, request,
  (SELECT count(*) FROM images WHERE task_num = num AND images.attempt = tasks.attempt),
  (SELECT failures FROM workers WHERE workers.id = worker)
"""
_REQUEUE = """
UPDATE tasks SET
  state = 'queued', phase = 'queued', phase_text = '', progress = NULL, worker = NULL, started_at = NULL,
  released = released + ?, ended_lease = lease, ended_as = ?, lease = NULL, lease_until = NULL
WHERE num = ? AND lease = ? AND state = 'running'
"""
_GIVEN_BACK = TaskFailure(
    code="given_back",
    message=f"Its workers gave it back more than {leases.MOST_RELEASES} times, and nobody finished it.",
    hint="It may take longer than any worker stays: retry it with fewer steps or images, or a smaller one.",
)


class Ending(Struct, frozen=True):
    """How an attempt ends its task.

    Attributes:
        how: the post that ended it, which may be sent again; `lost` where there was none.
        text: what the task says from then on.
    """

    state: State
    how: str
    text: str
    error: TaskFailure | None = None
    loading_seconds: float | None = None
    drawing_seconds: float | None = None


class Ended(Struct, frozen=True):
    """What an attempt has come to.

    Attributes:
        drawn: how many images of the task have arrived.
        failures: tasks in a row at which its worker has failed.
    """

    state: State
    request: str
    drawn: int
    failures: int | None


def complete(store: Store, lease: str, worker: str, completion: Completion) -> None:
    """The task is done; one that was asked to stop meanwhile ends canceled, with its images.

    Raises:
        LeaseLost: the lease is not the current one.
        Conflict: an image is missing.
    """
    loading, drawing = completion.loading_seconds, completion.drawing_seconds
    done = Ending("succeeded", "complete", "done", loading_seconds=loading, drawing_seconds=drawing)
    ended = _end(store, lease, worker, done)
    if ended is None:
        _check_repeated(store, lease, "complete")
        return
    if ended.failures:
        workers.forgive(store, worker)
    if ended.state == "succeeded":
        _check_images(ended)


def fail(store: Store, lease: str, worker: str, failure: Failure) -> None:
    """The attempt failed; a retryable failure leaves the task to another attempt while there are any left.

    Raises:
        LeaseLost: the lease is not the current one.
    """
    held = _hold(store, lease, worker, "fail")
    if held is None:
        return
    message, hint = foreign.clean(failure.message), foreign.clean(failure.hint)
    workers.note_failure(store, worker, held.task.num, failure.code)
    if failure.code == "canceled":
        end(store, held, Ending("canceled", "fail", "canceled"))
    elif failure.retryable and held.may_be_tried_again:
        requeue(store, held, "fail", f"{message} Trying again.")
    else:
        error = TaskFailure(code=failure.code, message=message, hint=hint)
        end(store, held, Ending("failed", "fail", message, error))


def release(store: Store, lease: str, worker: str, reason: str) -> None:
    """The worker gives the task back; this does not count against the task (`Held.may_be_tried_again`).

    Raises:
        LeaseLost: the lease is not the current one.
    """
    held = _hold(store, lease, worker, "release")
    if held is None:
        return
    if held.may_be_tried_again:
        why = f" ({foreign.line(reason)})" if reason else ""
        requeue(store, held, "release", f"given back by its worker{why}; waiting for another")
    else:
        end(store, held, Ending("failed", "release", _GIVEN_BACK.message, _GIVEN_BACK))


def end(store: Store, held: Held, ending: Ending) -> None:
    """Move a running task into a terminal state, with the last event it will ever have.

    One that was asked to stop ends canceled.

    Raises:
        LeaseLost: the lease is not the current one.
    """
    if _end(store, held.lease, held.worker, ending) is None:
        raise LeaseLost(hint=leases.DROP)


def tell_end(store: Store, task: TaskKey, state: State, error: TaskFailure | None = None) -> None:
    """Write the terminal event of a task that nobody holds."""
    log.append(store, task, StateEvent, state=state, error=error)


def requeue(store: Store, held: Held, how: str, text: str) -> None:
    """Put a running task back at its place in the queue."""
    if not store.change(_REQUEUE, int(how == "release"), how, held.task.num, held.lease):
        raise LeaseLost(hint=leases.DROP)
    log.append(store, held.task, StateEvent, state="queued")
    log.append(store, held.task, PhaseEvent, phase="queued", text=text[:1000])


def _hold(store: Store, lease: str, worker: str, how: str) -> Held | None:
    """The task; None if the very same post has ended the lease already, so that its answer was lost.

    In this order: of two posts that come at once, the second waits at the lease for the first one's end.
    """
    try:
        return leases.hold(store, lease, worker)
    except LeaseLost:
        _check_repeated(store, lease, how)
        return None


def _check_repeated(store: Store, lease: str, how: str) -> None:
    if leases.ended_as(store, lease) != how:
        raise LeaseLost(hint=leases.DROP)


def _end(store: Store, lease: str, worker: str, ending: Ending) -> Ended | None:
    """None: `worker` does not hold the lease any more."""
    error = ending.error
    found = store.row(
        _END,
        ending.state,
        ending.text,
        None if error is None else wire.encode(error).decode(),
        store.now,
        ending.loading_seconds,
        ending.drawing_seconds,
        ending.how,
        ids.task_of(lease),
        lease,
        worker,
    )
    if found is None:
        return None
    num, task, owner, seq, state, *rest = found
    error = error if state == ending.state else None
    event = StateEvent(task=task, at=store.at, seq=seq, state=state, error=error)
    log.write(store, TaskKey(num, task, owner), event)
    return Ended(state, *rest)


def _check_images(ended: Ended) -> None:
    wanted = leases.images(ended.request)
    if ended.drawn != wanted:
        raise Conflict(
            f"The task asks for {wanted} image(s), {ended.drawn} arrived.",
            hint="Upload every image before completing.",
        )
