"""What is on its way out of this process: in order, and of live events only the newest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from gpugen_server.events.entry import Entry


class Backlog:
    """Entries that wait to be told, oldest first.

    A numbered one waits until it is taken. A live one goes when the next of its task and kind comes: previews
    of 20 KB that come faster than they are told would cost tens of megabytes, and nobody wants to see any but
    the last. So what waits is bounded by how many tasks are being drawn.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, int | str], Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, entries: Iterable[Entry]) -> None:
        """Let `entries` wait as well."""
        for entry in entries:
            key = entry.task, entry.seq or entry.kind
            self._waiting.pop(key, None)  # a preview is told after whatever came before it
            self._waiting[key] = entry

    def take(self, most: int) -> list[Entry]:
        """The oldest ones, no more than `most`; they wait no longer."""
        return [self._waiting.popitem(last=False)[1] for _ in range(min(most, len(self._waiting)))]
