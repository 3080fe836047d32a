"""Hands what the bus brings to the watchers of this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from gpugen_server.events.entry import Entry
from gpugen_server.events.watcher import Watcher

DEGRADED = ("live_updates_degraded", "Progress and previews may be missing; results still arrive.")
MOST_TASKS = 10_000  # that one socket may name
TOO_MANY = ("too_many_requests", f"One connection may follow {MOST_TASKS:,} tasks by name; use * for more.")
RESTORED = ("live_updates_restored", "Live updates are back.")


class Hub:
    """Who watches what.

    Args:
        on_queued: called when a task became ready for a worker at another process.
        on_numbered: called with a task's id when anything numbered happened to it there.
    """

    def __init__(
        self, on_queued: Callable[[], None], on_numbered: Callable[[str], None] = lambda task: None
    ) -> None:
        self.degraded = False
        self._on_numbered = on_numbered
        self._on_queued = on_queued
        self._by_task: dict[str, set[Watcher]] = {}
        self._everything: set[Watcher] = set()
        self._named: dict[Watcher, set[str]] = {}  # the tasks that each watcher asked for

    def __len__(self) -> int:
        return len(self._named)

    def join(self, watcher: Watcher) -> None:
        """A socket opened."""
        self._named[watcher] = set()
        watcher.on_end = self._forget
        if self.degraded:
            watcher.notice(*DEGRADED)

    def leave(self, watcher: Watcher) -> None:
        """A socket closed."""
        self._everything.discard(watcher)
        for task in self._named.pop(watcher, set()):
            self._remove(watcher, task)
        watcher.close()

    def follow(self, watcher: Watcher, task: str, after: int) -> None:
        """Begin to tell `watcher` about `task`, from number `after` on, to its end."""
        named = self._named[watcher]
        if len(named) >= MOST_TASKS and task not in named:
            watcher.notice(*TOO_MANY)
            return
        named.add(task)
        self._by_task.setdefault(task, set()).add(watcher)
        watcher.follow(task, after)

    def follow_everything(self, watcher: Watcher) -> None:
        """Tell `watcher` about all tasks that it may see."""
        watcher.everything = True
        self._everything.add(watcher)

    def unfollow(self, watcher: Watcher, task: str) -> None:
        """Stop telling `watcher` about `task`."""
        watcher.unfollow(task)
        self._forget(watcher, task)

    def unfollow_everything(self, watcher: Watcher) -> None:
        """Stop telling `watcher` about tasks that it did not name."""
        watcher.everything = False
        self._everything.discard(watcher)

    def watched(self, task: str, user: str) -> bool:
        """Whether anyone in this process watches `task` of `user`."""
        return any(watcher.owner in (None, user) for watcher in self._watching(task))

    def watched_tasks(self) -> list[str]:
        """The tasks that somebody in this process follows by name."""
        return list(self._by_task)

    def hear(self, entries: Sequence[Entry]) -> None:
        """Take in what happened at another process."""
        for entry in entries:
            if entry.state == "queued":
                self._on_queued()
            if entry.seq:
                self._on_numbered(entry.task)
        self.deliver(entries)

    def deliver(self, entries: Iterable[Entry]) -> None:
        """Hand entries to whoever watches their tasks."""
        for entry in entries:
            for watcher in self._watching(entry.task):
                if watcher.owner in (None, entry.user):
                    watcher.offer(entry)

    def resync(self) -> None:
        """The bus may have lost something: let every watcher look."""
        for watcher in self._named:
            watcher.resync()

    def set_degraded(self, degraded: bool) -> None:
        """Say once to everybody that the bus went away or came back."""
        if degraded != self.degraded:
            self.degraded = degraded
            for watcher in self._named:
                watcher.notice(*(DEGRADED if degraded else RESTORED))

    def _watching(self, task: str) -> Collection[Watcher]:
        named = self._by_task.get(task, ())
        return {*named, *self._everything} if self._everything else tuple(named)

    def _forget(self, watcher: Watcher, task: str) -> None:
        self._named[watcher].discard(task)
        self._remove(watcher, task)

    def _remove(self, watcher: Watcher, task: str) -> None:
        watchers = self._by_task.get(task, set())
        watchers.discard(watcher)
        if not watchers:
            self._by_task.pop(task, None)
