"""Follows tasks for one socket: a snapshot, then every number once and in order, whatever the bus lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from msgspec import Struct

from gpugen_protocol import wire
from gpugen_protocol.clock import rfc3339
from gpugen_protocol.errors import GpugenError, NotFound
from gpugen_protocol.events import GapEvent, NoticeEvent, SnapshotEvent
from gpugen_protocol.state import TERMINAL
from gpugen_server.database import Database
from gpugen_server.events.entry import Entry
from gpugen_server.events.outbound import Outbound, Sink
from gpugen_server.queue import search

PAGE = 100  # events read at once
_LAST = 2**53  # no task has so many events
_FINISHED_KEPT = 500  # finished tasks that a watcher of all tasks remembers

logger = logging.getLogger(__name__)


class Cursor(Struct):
    """How far one task was told: `last` is the last number sent, `newest` the last one heard of.

    Until it is `open` the database has not said that the watcher may see the task, and nothing is sent.
    """

    last: int
    newest: int = 0
    open: bool = False
    reading: bool = False
    finished: bool = False


class Watcher:
    """One client's view.

    Args:
        owner: whose tasks it may see; None: everybody's.
        live_after: gives the moment after which a worker was seen if it is alive.
        sink: the client's socket.
    """

    def __init__(
        self,
        database: Database,
        owner: str | None,
        live_after: Callable[[], float],
        sink: Sink | None = None,
    ) -> None:
        self.owner = owner
        self.everything = False
        # Nothing more will be told about that task.
        self.on_end: Callable[[Watcher, str], None] = lambda watcher, task: None
        self.outbound = Outbound(sink)
        self._database = database
        self._live_after = live_after
        self._cursors: dict[str, Cursor] = {}
        self._readers: set[asyncio.Task[None]] = set()

    def follow(self, task: str, after: int) -> None:
        """Send a snapshot of `task`, then what happened after number `after`, then what happens."""
        self._cursors.pop(task, None)
        self._start(task, after)

    def unfollow(self, task: str) -> None:
        """Stop telling about `task`."""
        self._cursors.pop(task, None)

    def offer(self, entry: Entry) -> None:
        """Take what the bus brought."""
        cursor = self._cursors.get(entry.task)
        if cursor is None:
            if self.everything:
                self._start(entry.task, 0)
            return
        if cursor.reading:
            cursor.newest = max(cursor.newest, entry.seq)
        elif not cursor.open:
            self._read(entry.task, cursor)
        elif entry.seq == 0:
            self._tell_live(entry, cursor)
        elif entry.seq == cursor.last + 1 and not self.outbound.crowded:
            self._tell(cursor, entry.seq, entry.body)
            if entry.state in TERMINAL:
                self._finish(entry.task, cursor)
        elif entry.seq > cursor.last:
            self._read(entry.task, cursor)

    def resync(self) -> None:
        """Read what was missed, for the bus may have lost something."""
        for task, cursor in self._cursors.items():
            if cursor.reading:  # what it reads just now may be too old: let it look once more
                cursor.newest = max(cursor.newest, cursor.last) + 1
            elif not cursor.finished:
                self._read(task, cursor)

    def notice(self, code: str, message: str) -> None:
        """Say something about the connection itself."""
        event = NoticeEvent(at=rfc3339(time.time()), code=code, message=message)
        self.outbound.put(wire.encode(event))

    def close(self) -> None:
        """Stop reading, and let go of the socket."""
        for reader in self._readers:
            reader.cancel()
        self.outbound.detach()
        self._cursors.clear()

    def _start(self, task: str, after: int) -> None:
        cursor = self._cursors[task] = Cursor(min(max(after, 0), _LAST))
        self._read(task, cursor)

    def _read(self, task: str, cursor: Cursor) -> None:
        cursor.reading = True
        reader = asyncio.create_task(self._catch_up(task, cursor))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _catch_up(self, task: str, cursor: Cursor) -> None:
        """Send from the database until nothing newer is known."""
        try:
            more = True
            while more and self._cursors.get(task) is cursor:
                await self.outbound.room()  # a slow reader holds up its own replay, nothing else
                if not cursor.open:
                    await self._send_snapshot(task, cursor)
                more = await self._send_page(task, cursor)
        except NotFound as error:
            self._lose(task, cursor)
            self.notice(error.code, error.message)
        except GpugenError as error:  # the database is away: the next news of the task make it look again
            logger.warning("events of %s could not be read: %s", task, error)
            self.notice("live_updates_degraded", error.message)
        finally:
            cursor.reading = False

    async def _send_snapshot(self, task: str, cursor: Cursor, *, keep: bool = False) -> None:
        """The task as it is. With `keep`, `cursor` stays where it is, be it beyond the last event."""
        found = await self._database.run(search.snapshot, task, self.owner, self._live_after())
        if self._cursors.get(task) is not cursor:
            return
        cursor.open = True
        cursor.last = cursor.last if keep else min(cursor.last, found.last_seq)
        cursor.newest = max(cursor.newest, found.last_seq)
        event = SnapshotEvent(task=task, at=rfc3339(time.time()), seq=found.last_seq, data=found.task)
        self.outbound.put(wire.encode(event))

    async def _send_page(self, task: str, cursor: Cursor) -> bool:
        """Send the next numbers; gives whether there is more to send."""
        before = cursor.last, cursor.newest
        page = await self._database.run(search.events, task, self.owner, cursor.last, PAGE)
        if self._cursors.get(task) is not cursor:
            return False
        first = page.events[0][0] if page.events else page.last_seq + 1
        if first > cursor.last + 1 and page.last_seq > cursor.last:
            await self._skip(task, cursor, first - 1)
        for seq, body in page.events:
            if seq > cursor.last:
                self._tell(cursor, seq, body)
        cursor.newest = max(cursor.newest, page.last_seq)
        if page.finished and cursor.last >= page.last_seq:
            self._finish(task, cursor)
            return False
        return cursor.last < cursor.newest and before != (cursor.last, cursor.newest)

    async def _skip(self, task: str, cursor: Cursor, until: int) -> None:
        """What was pruned cannot be told: say so, and what the task is like now."""
        cursor.last = until
        self.outbound.put(wire.encode(GapEvent(task=task, at=rfc3339(time.time()), until=until)))
        await self._send_snapshot(task, cursor, keep=True)

    def _tell(self, cursor: Cursor, seq: int, body: bytes) -> None:
        cursor.last = seq
        self.outbound.put(body)

    def _tell_live(self, entry: Entry, cursor: Cursor) -> None:
        if not cursor.finished:
            self.outbound.put_live((entry.task, entry.kind), entry.body)

    def _finish(self, task: str, cursor: Cursor) -> None:
        """Its last event was told. A watcher of everything remembers that, else a late double looks new."""
        cursor.finished = True
        if not self.everything:
            self._lose(task, cursor)
            return
        self.on_end(self, task)
        if len(self._cursors) > 2 * _FINISHED_KEPT:
            self._forget()

    def _lose(self, task: str, cursor: Cursor) -> None:
        if self._cursors.get(task) is cursor:
            del self._cursors[task]
            self.on_end(self, task)

    def _forget(self) -> None:
        finished = [task for task, cursor in self._cursors.items() if cursor.finished]
        for task in finished[:-_FINISHED_KEPT]:
            del self._cursors[task]
