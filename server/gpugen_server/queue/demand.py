"""What is wanted and what is there, for whoever starts and stops workers."""

from __future__ import annotations

from typing import Any

from gpugen_protocol.events import Phase, PhaseEvent
from gpugen_server.database import Store
from gpugen_server.events import log
from gpugen_server.events.log import TaskKey

_NOT_TOLD = """
SELECT num, id, owner, model FROM tasks WHERE state = 'queued' AND phase_text != ?
ORDER BY place, num LIMIT 250
"""


def unfinished(store: Store) -> bool:
    """Whether any task is queued or running."""
    return bool(
        store.value(
            "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'queued')"
            " OR EXISTS (SELECT 1 FROM tasks WHERE state = 'running')"
        )
    )


def tell_waiting(store: Store, models: frozenset[str] | None, phase: Phase, text: str, data: Any) -> int:
    """Write a phase event on queued tasks of `models` (None: any) that do not say so already.

    Those that go next come first, and not too many at once: others want to write, too. Gives how many.
    """
    found = store.rows(_NOT_TOLD + store.lock_free, text)
    wanted = [row for row in found if models is None or row[3] in models]
    for num, task, owner, _ in wanted:
        store.change("UPDATE tasks SET phase = ?, phase_text = ? WHERE num = ?", phase, text, num)
        log.append(store, TaskKey(num, task, owner), PhaseEvent, phase=phase, text=text, data=data or {})
    return len(wanted)


def counts(store: Store) -> dict[str, int]:
    """How many tasks are in which state."""
    return dict(store.rows("SELECT state, count(*) FROM tasks GROUP BY state"))
