"""One task being watched: where its events wait, in order and without holes, for whoever asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from gpugen_protocol.errors import GpugenError
from gpugen_protocol.events import (
    Event,
    GapEvent,
    ImageEvent,
    LogEvent,
    PhaseEvent,
    PreviewEvent,
    ProgressEvent,
    SnapshotEvent,
    StateEvent,
)
from gpugen_protocol.state import TERMINAL
from gpugen_protocol.task import Progress

_NUMBERED = (StateEvent, PhaseEvent, ImageEvent, LogEvent)
_LIVE = (ProgressEvent, PreviewEvent)
_SLICE = 0.5  # seconds: an untimed wait could not be interrupted everywhere


class Watch:
    """The events of one task, from one after number `after` on, for one consumer.

    A consumer that is slower than the events loses nothing that is numbered; of `progress` and `preview` it
    gets the newest. Iterating ends after the terminal `state`, or when the watch is closed.

    Attributes:
        task: the id of the task.
        seq: the number of the last event that arrived.
        heard: whether anything arrived at all.
        heard_at: when something last did, on the clock of `time.monotonic`.
        on_close: told when the consumer closes the watch; for whoever feeds it.
    """

    def __init__(self, task: str, after: int = 0) -> None:
        self.task = task
        self.seq = after
        self.heard_at = time.monotonic()
        self.heard = False
        self.on_close: Callable[[Watch], None] = lambda _: None
        self._waiting: deque[Event] = deque()
        self._ended = False
        self._error: GpugenError | None = None
        self._changed = threading.Condition()

    def get(self, timeout: float | None = None) -> Event | None:
        """The next event, waiting up to `timeout` seconds (None: for ever).

        None when there was none in time, or when no more will come (see `done`).

        Raises:
            GpugenError: the task cannot be followed any more, and why.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._waiting and not self._ended:
                left = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
                if left <= 0:
                    return None
                self._changed.wait(left)
            if self._waiting:
                return self._waiting.popleft()
            if self._error is not None:
                raise self._error
            return None

    def __iter__(self) -> Iterator[Event]:
        while not self.done:
            event = self.get()
            if event is not None:
                yield event

    @property
    def done(self) -> bool:
        """Whether everything was handed out and nothing more will come."""
        with self._changed:
            return self._ended and not self._waiting and self._error is None

    @property
    def ended(self) -> bool:
        """Whether nothing more will arrive; some of it may still wait."""
        return self._ended

    def close(self) -> None:
        """Stop watching. What already arrived can still be read."""
        self.on_close(self)
        self.end()

    # ---- the producer's side ----

    def offer(self, event: Event) -> bool:
        """Take `event` if it is news; False, and not taken, if numbered events before it are missing."""
        with self._changed:
            self.touch()
            if self._ended:
                return True
            if isinstance(event, _NUMBERED):
                return self._offer_numbered(event)
            if isinstance(event, GapEvent):
                return self._offer_gap(event)
            self._put(event)
            if isinstance(event, SnapshotEvent) and event.data.progress is not None:
                self._put(_progress(event, event.data.progress))
            return True

    def touch(self) -> None:
        """Something was heard of the task."""
        self.heard_at, self.heard = time.monotonic(), True

    def end(self, error: GpugenError | None = None) -> None:
        """Nothing more will come; with `error`, the consumer is told why once it has read the rest."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def _offer_numbered(self, event: StateEvent | PhaseEvent | ImageEvent | LogEvent) -> bool:
        if event.seq > self.seq + 1:
            return False
        if event.seq == self.seq + 1:
            self.seq = event.seq
            self._ended = isinstance(event, StateEvent) and event.state in TERMINAL
            self._put(event)
        return True

    def _offer_gap(self, event: GapEvent) -> bool:
        """A gap before what is here already is no news."""
        if event.until > self.seq:
            self.seq = event.until
            self._put(event)
        return True

    def _put(self, event: Event) -> None:
        if isinstance(event, _LIVE):
            self._waiting = deque(old for old in self._waiting if type(old) is not type(event))
        elif isinstance(event, SnapshotEvent):
            self._drop_unread_snapshot()
        self._waiting.append(event)
        self._changed.notify_all()

    def _drop_unread_snapshot(self) -> None:
        """One that nothing has happened after: the next one tells the same and more."""
        for index in reversed(range(len(self._waiting))):
            if not isinstance(self._waiting[index], _LIVE):
                if isinstance(self._waiting[index], SnapshotEvent):
                    del self._waiting[index]
                return


def _progress(snapshot: SnapshotEvent, now: Progress) -> ProgressEvent:
    """What a snapshot says of the progress, for consumers that came in the middle of a long step."""
    return ProgressEvent(
        task=snapshot.task,
        at=snapshot.at,
        image=now.image,
        step=now.step,
        steps=now.steps,
        seconds_per_step=now.seconds_per_step,
    )
