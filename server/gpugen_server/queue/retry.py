"""Draw a finished task once more, as a new one."""

from __future__ import annotations

import msgspec

from gpugen_protocol import wire
from gpugen_protocol.errors import Conflict
from gpugen_protocol.models import Registry
from gpugen_protocol.request import ResolvedRequest, TaskRequest
from gpugen_protocol.state import TERMINAL
from gpugen_server.database import Store
from gpugen_server.queue import records
from gpugen_server.queue.submit import Submission, submit


def retry(
    store: Store, task: str, user: str | None, registry: Registry, max_attempts: int, live_after: float
) -> str:
    """Queue a new task with the same request, seed included, for the same user; gives its id.

    Raises:
        NotFound: `user` has no such task.
        Conflict: the task is not finished yet.
        UnknownModel, NotSupported, TooCostly: the registry has changed and cannot serve it any more.
    """
    record = records.find(store, task, user)
    if record.state not in TERMINAL:
        raise Conflict(f"Task {task} is still {record.state}.", hint="Cancel it first, or wait for it.")
    former = msgspec.json.decode(record.request, type=ResolvedRequest)
    asked = wire.convert(
        {**wire.plain(former), "priority": record.priority, "group": record.group_name}, TaskRequest
    )
    submission = Submission(
        user=record.user,
        asked=asked,
        resolved=registry.resolve(asked, former.seed),
        max_attempts=max_attempts,
        retry_of=record.id,
    )
    return submit(store, submission, live_after)[0]
