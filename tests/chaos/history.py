"""What happened in a round, one JSON object a line, in the order in which it became known."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

Entry = dict[str, Any]


class History:
    """A file that only grows; safe to use from many threads.

    Every entry has a `kind` and its place `at` in the order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._length = 0
        self._file = path.open("w", encoding="utf-8")

    def note(self, kind: str, **fields: Any) -> None:
        """Write an entry."""
        with self._lock:
            self._file.write(json.dumps({"at": self._length, "kind": kind, **fields}) + "\n")
            self._length += 1

    @property
    def now(self) -> int:
        """The place of the next entry: whatever has a smaller one was known by now."""
        with self._lock:
            return self._length

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def read(path: Path) -> list[Entry]:
    """The entries of a history that has ended."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
