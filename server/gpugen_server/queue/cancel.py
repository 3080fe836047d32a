"""Withdraw a task, whatever its state."""

from __future__ import annotations

from gpugen_protocol.events import PhaseEvent
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.queue import finish, records


def cancel(store: Store, task: str, user: str | None) -> None:
    """A queued task is canceled at once, a running one is asked to stop, a finished one stays as it is.

    Raises:
        NotFound: `user` has no such task.
    """
    record = records.find(store, task, user, lock=True)
    if record.state == "queued":
        store.change(
            "UPDATE tasks SET state = 'canceled', phase = 'done', phase_text = 'canceled', finished_at = ?"
            " WHERE num = ? AND state = 'queued'",
            store.now,
            record.num,
        )
        finish.tell_end(store, record.key, "canceled")
    elif record.state == "running" and record.phase != "canceling":
        text = "asking the worker to stop"
        store.change(
            "UPDATE tasks SET cancel = 1, phase = 'canceling', phase_text = ? WHERE num = ?", text, record.num
        )
        log.append(store, record.key, PhaseEvent, phase="canceling", text=text)
