"""The real server with a broken rule: `python mutants.py NAME [arguments of gpugen_server]`.

A harness that finds nothing may be blind. These are the mistakes that queues in the field were found with;
the rules of the verdict must see them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from gpugen_server.__main__ import main
from gpugen_server.queue import finish

_WHOSE = " AND lease = ? AND coalesce(worker, '') = ?"


def finish_by_anyone() -> None:
    """The finish asks whether the task is running, and not by whose attempt."""
    finish._check_images = lambda ended: None  # it would find out most of them
    _replace(finish, "_END", _WHOSE, " AND ? <> '' AND ? <> ''")


def finish_again() -> None:
    """The finish asks nothing: a task that has ended can end once more."""
    finish_by_anyone()
    _replace(finish, "_END", " AND state = 'running'", "")


MUTANTS: dict[str, Callable[[], None]] = {
    "finish-by-anyone": finish_by_anyone,
    "finish-again": finish_again,
}


def _replace(module: Any, name: str, old: str, new: str) -> None:
    text = getattr(module, name)
    assert old in text, f"{module.__name__}.{name} has changed: so must this mutant"
    setattr(module, name, text.replace(old, new))


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    sys.exit(main())
