"""What is wanted and what is there, for whoever starts and stops workers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gpugen_protocol.events import Phase, PhaseEvent
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey
from gpugen_server.queue.place import Kind

_NOT_TOLD = """
SELECT num, id, owner FROM tasks WHERE state = 'queued' AND phase_text != ?{of}
ORDER BY place, num LIMIT 250
"""
# A few among very many must not cost a look at all of them; the index `tasks_queued` holds these columns.
_OF_KINDS = """ AND num IN (SELECT num FROM (
  SELECT num, model, width, height FROM tasks WHERE state = 'queued' ORDER BY place, num LIMIT 1000
) AS head WHERE {})"""
_IS_KIND = "(model = ? AND width = ? AND height = ?)"


def unfinished(store: Store) -> bool:
    """Whether any task is queued or running."""
    return bool(
        store.value(
            "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'queued')"
            " OR EXISTS (SELECT 1 FROM tasks WHERE state = 'running')"
        )
    )


def tell_waiting(store: Store, kinds: Collection[Kind] | None, phase: Phase, text: str, data: Any) -> int:
    """Write a phase event on queued tasks of `kinds` (None: any) that do not say so already.

    Those that go next come first, and not too many at once: others want to write, too. Gives how many. Of
    certain kinds are only told those among the first thousand.
    """
    of = "" if kinds is None else _OF_KINDS.format(" OR ".join([_IS_KIND] * len(kinds)) or "1 = 0")
    parts = [part for kind in kinds or () for part in kind]
    found = store.rows(_NOT_TOLD.format(of=of) + store.lock_free, text, *parts)
    for num, task, owner in found:
        store.change("UPDATE tasks SET phase = ?, phase_text = ? WHERE num = ?", phase, text, num)
        log.append(store, TaskKey(num, task, owner), PhaseEvent, phase=phase, text=text, data=data or {})
    return len(found)


def counts(store: Store) -> dict[str, int]:
    """How many tasks are in which state."""
    return dict(store.rows("SELECT state, count(*) FROM tasks GROUP BY state"))
