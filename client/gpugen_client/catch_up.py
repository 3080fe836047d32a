"""Bring a watch up to date with plain requests: what is stored of a task's events, and the task as it is."""

from __future__ import annotations

import time

from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_client.watch import Watch
from gpugen_protocol import clock
from gpugen_protocol.events import EventPage, GapEvent, SnapshotEvent, StateEvent
from gpugen_protocol.task import Task


class CatchUp:
    """Asks for what a watch lacks."""

    def __init__(self, connection: Connection) -> None:
        self._tasks = Tasks(connection)

    def __call__(self, watch: Watch) -> None:
        """Hand `watch` the numbered events it lacks, then a snapshot unless the task is over.

        Raises as `Tasks.get`.
        """
        self._hand_events(watch)
        if watch.ended:
            return
        task = self._tasks.get(watch.task)
        if task.finished:
            self._hand_events(watch)
            watch.offer(_terminal(watch, task))  # old news, unless its own terminal event was pruned
            return
        watch.offer(_snapshot(task, watch.seq))

    def _hand_events(self, watch: Watch) -> None:
        while not watch.ended:
            page = self._tasks.events(watch.task, watch.seq)
            self._skip_pruned(watch, page)
            for event in page.events:
                watch.offer(event)
            if not page.events or watch.seq >= page.last_seq:
                return

    def _skip_pruned(self, watch: Watch, page: EventPage) -> None:
        """What no longer is among the events is in the task itself: it is asked for anew."""
        until = (page.events[0].seq if page.events else page.last_seq + 1) - 1
        if until > watch.seq:
            watch.offer(GapEvent(task=watch.task, at=_now(), until=until))
            watch.offer(_snapshot(self._tasks.get(watch.task), page.last_seq))


def _snapshot(task: Task, seq: int) -> SnapshotEvent:
    """The task, which was asked for when events up to number `seq` had happened."""
    return SnapshotEvent(task=task.id, at=_now(), seq=seq, data=task)


def _terminal(watch: Watch, task: Task) -> StateEvent:
    at = task.finished_at or _now()
    return StateEvent(task=task.id, at=at, seq=watch.seq + 1, state=task.state, error=task.error)


def _now() -> str:
    return clock.rfc3339(time.time())
