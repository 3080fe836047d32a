"""Draw a finished task once more, as a new one."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gpugen_protocol import wire
from gpugen_protocol.errors import Conflict, GpugenError
from gpugen_protocol.models import Registry
from gpugen_protocol.request import ResolvedRequest, TaskRequest
from gpugen_protocol.state import TERMINAL
from gpugen_server.database import Store
from gpugen_server.queue import records
from gpugen_server.queue.limits import Limits
from gpugen_server.queue.submit import Submission, submit


class Terms(NamedTuple):
    """What holds for every new task; workers seen since `live_after` count as there."""

    registry: Registry
    max_attempts: int
    live_after: float
    limits: Limits = Limits()


def retry(
    store: Store,
    task: str,
    user: str | None,
    terms: Terms,
    key: str | None = None,
    refusal: GpugenError | None = None,
) -> str:
    """Queue a new task with the same request, seed included, for the same user; gives its id.

    `key` and `refusal` are those of a `Submission`. Only an admin's (`user` None) keeps a raised priority.

    Raises:
        TooManyTasks: a cap is reached; or what `refusal` says.
        NotFound: `user` has no such task.
        Conflict: the task is not finished yet.
        UnknownModel, NotSupported, TooCostly: the registry has changed and cannot serve it any more.
    """
    record = records.find(store, task, user)
    if record.state not in TERMINAL:
        raise Conflict(f"Task {task} is still {record.state}.", hint="Cancel it first, or wait for it.")
    former = msgspec.json.decode(record.request, type=ResolvedRequest)
    priority = record.priority if user is None else min(0, record.priority)
    asked = wire.convert(
        {**wire.plain(former), "priority": priority, "group": record.group_name}, TaskRequest
    )
    submission = Submission(
        user=record.owner,
        asked=asked,
        resolved=terms.registry.resolve(asked, former.seed),
        max_attempts=terms.max_attempts,
        memory=terms.registry.get(former.model).memory_for(former),
        key=key,
        retry_of=record.id,
        refusal=refusal,
    )
    return submit(store, submission, terms.live_after, terms.limits).task
