"""The real server with a broken rule: `python mutants.py NAME [arguments of gpugen_server]`.

A harness that finds nothing may be blind. These are the mistakes that queues in the field were found with;
the rules of the verdict must see them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from gpugen_server.__main__ import main
from gpugen_server.queue import finish, ids, lease

_HELD = lease._HELD.replace(" AND lease = ? AND worker = ? AND state = 'running'", "")


def finish_by_anyone() -> None:
    """The finish asks whether the task is running, and not by whose attempt."""
    _forget_lease(f"{_HELD} AND state = 'running'")


def finish_again() -> None:
    """The finish asks nothing: a task that has ended can end once more."""
    _forget_lease(_HELD)
    _replace(finish, "_END", " AND state = 'running'", "")


MUTANTS: dict[str, Callable[[], None]] = {
    "finish-by-anyone": finish_by_anyone,
    "finish-again": finish_again,
}


def _forget_lease(held_sql: str) -> None:
    """`hold` believes whoever wants to finish, and the finishing statement does too."""

    def hold(store: Any, name: str, worker: str) -> lease.Held:
        found = store.row(held_sql, ids.task_of(name))
        if found is None:
            raise lease.LeaseLost
        return lease._held(name, found)

    finish._check_images = lambda held: None  # it would find out most of them
    finish.leases = SimpleNamespace(hold=hold, ended_as=lease.ended_as)
    _replace(finish, "_END", "WHERE num = ? AND lease = ?", "WHERE num = ? AND ? <> ''")


def _replace(module: Any, name: str, old: str, new: str) -> None:
    text = getattr(module, name)
    assert old in text, f"{module.__name__}.{name} has changed: so must this mutant"
    setattr(module, name, text.replace(old, new))


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    sys.exit(main())
