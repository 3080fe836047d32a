"""Our hold on one task: told to the server by a thread of its own, so that a long step never starves it."""

from __future__ import annotations

import base64
import contextlib
import math
import queue
import time
from typing import Any, Literal

from gpugen_protocol.errors import GpugenError, describe
from gpugen_protocol.events import (
    MAX_TEXT,
    LogLevel,
    LogReport,
    Phase,
    PhaseReport,
    PreviewReport,
    ProgressReport,
    Report,
)
from gpugen_protocol.worker import Failure, Lease
from gpugen_worker.backoff import Backoff
from gpugen_worker.generator import Interrupted
from gpugen_worker.log import log
from gpugen_worker.outbox import Outbox
from gpugen_worker.patience import Patience
from gpugen_worker.session import ServerSession, is_passing
from gpugen_worker.stop import Stop
from gpugen_worker.text import sendable

POST_SECONDS = 0.1  # at most ten posts a second
PREVIEW_SECONDS = 0.25  # at most four previews a second
PREVIEW_SHARE = 0.1  # of the time, at most, goes into making them

Reason = Literal["canceled", "lost", "released"]
OVER = frozenset({"lost", "released"})  # the lease is not ours any more
CANCELED = Failure(code="canceled", message="The task was canceled.")
STALLED = Failure(
    code="timeout",
    message="The drawing showed no sign of life for too long; its worker ended itself.",
    hint="The worker's log has the details; GPUGEN_STALL_TIMEOUT sets how long it may be silent.",
    retryable=True,
)


class Hold:
    """One lease while its task runs: the `Observer` of the drawing, and the heartbeat.

    The drawing thread calls the methods of `Observer`; `beat` runs in another thread. Between them are a
    queue, which a signal handler may also use, and `reason`: why the task must stop, once it must.
    """

    def __init__(self, lease: Lease, session: ServerSession, stop: Stop, patience: Patience) -> None:
        self.lease = lease
        self.reason: Reason | None = None
        self.seconds: dict[str, float] = {}
        self._session = session
        self._stop = stop
        self._patience = patience
        self._inbox: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._outbox = Outbox()
        self._backoff = Backoff(first=POST_SECONDS, longest=2.0)
        self._expires = time.monotonic() + lease.expires_in
        self._next_beat = time.monotonic() + session.terms.heartbeat_seconds
        self._not_before = 0.0
        self._previews = True
        self._next_preview = 0.0
        self._last_preview = (0, b"")
        self._remaining: float | None = None
        self._phase: tuple[str, float] = ("", time.monotonic())
        self._moved_at = time.monotonic()
        self._stops_by = math.inf  # until when the drawing must have noticed that it must stop
        self._step_seconds = 0.0
        self._closing = False

    # ---- what the drawing thread calls ----

    @property
    def wants_preview(self) -> bool:
        """Whether somebody watches, and the last preview is old enough for what it cost."""
        return self._previews and time.monotonic() >= self._next_preview

    @property
    def expired(self) -> bool:
        """Whether the lease has ended by our own clock, which the server's answers set."""
        return time.monotonic() > self._expires

    def check(self) -> None:
        """Raises Interrupted once the task must stop, also where no answer came until the lease's end."""
        if self.expired:
            self.lose()
        if self.reason is not None:
            raise Interrupted(self.reason)

    def phase(self, phase: Phase, text: str = "", **data: Any) -> None:
        """The drawing entered `phase`; also stops the time spent in the one before."""
        self._clock(phase)
        self._moved_at = time.monotonic()
        self._inbox.put(PhaseReport(phase=phase, text=sendable(text, MAX_TEXT), data=data))

    def log(self, level: LogLevel, message: str) -> None:
        """A line for the user."""
        self._inbox.put(LogReport(level=level, message=sendable(message, MAX_TEXT)))

    def step(self, image: int, step: int, steps: int, seconds_per_step: float) -> None:
        """A step is done. Raises Interrupted once the task must stop."""
        left = (self.lease.task.request.n - image) * steps - step
        self._moved_at = time.monotonic()
        self._step_seconds = seconds_per_step
        self._remaining = left * seconds_per_step
        self._inbox.put(
            ProgressReport(image=image, step=step, steps=steps, seconds_per_step=seconds_per_step)
        )
        self.check()

    def preview(self, image: int, step: int, jpeg: bytes, seconds: float = 0.0) -> None:
        """A small picture of what there is; the same one again is not sent."""
        pause = max(PREVIEW_SECONDS - seconds, seconds / PREVIEW_SHARE - seconds)
        self._next_preview = time.monotonic() + pause
        if (image, jpeg) == self._last_preview:
            return
        self._last_preview = (image, jpeg)
        self._inbox.put(PreviewReport(image=image, step=step, data=base64.b64encode(jpeg).decode()))

    def lose(self) -> None:
        """The task is not ours any more: drop it."""
        self._interrupt("lost")

    def close(self) -> None:
        """Tell what is left to tell, and end the beat."""
        self._clock("")
        self._closing = True
        self._inbox.put(None)

    def wake(self) -> None:
        """Look at `stop` now; safe in a signal handler."""
        self._inbox.put(None)

    def _clock(self, phase: str) -> None:
        now = time.monotonic()
        old, since = self._phase
        self.seconds[old] = self.seconds.get(old, 0.0) + now - since
        self._phase = (phase, now)

    # ---- what the beat's thread calls ----

    def beat(self) -> None:
        """Post reports and heartbeats until the hold ends."""
        while self.reason not in OVER:
            self._gather()
            if self._must_release():
                return self.release()
            if self._wedged:
                return self._give_up()
            if self._closing and not self._outbox.urgent:
                return None
            self._post()
        return None

    def release(self) -> None:
        """Give the task back, so that another worker can start at once."""
        if self.reason in OVER:
            return
        self._interrupt("released")
        try:
            self._session.release(self.lease.id, "the worker is stopping")
        except GpugenError as error:
            log.warning("The task could not be given back and waits for its lease to end. %s", error)

    def see_out(self) -> bool:
        """Wait until the drawing has ended; False when it does not, however long one waits."""
        while not self._closing:
            if self._wedged:
                return False
            with contextlib.suppress(queue.Empty):
                self._inbox.get(timeout=max(0.0, self._wedged_at - time.monotonic()))
        return True

    @property
    def _wedged(self) -> bool:
        return not self._closing and time.monotonic() >= self._wedged_at

    @property
    def _wedged_at(self) -> float:
        """When a drawing that does not move until then counts as wedged."""
        return min(self._stops_by, self._moved_at + self._patience.stall)

    def _give_up(self) -> None:
        """Tell the end of a task whose drawing will not tell it."""
        failure = CANCELED if self.reason == "canceled" else STALLED
        self._interrupt("lost")
        try:
            self._session.fail(self.lease.id, failure)
        except GpugenError as error:
            log.warning("The end of the task could not be told. %s", describe(error))

    def _gather(self) -> None:
        """Collect reports until a post is due."""
        while not (self._closing or self._wedged or self._must_release()):
            left = self._due() - time.monotonic()
            try:
                report = self._inbox.get(timeout=max(0.0, left))
            except queue.Empty:
                return
            if report is not None:
                self._outbox.add(report)
            elif self._stop.requested and self._remaining is not None:
                log.info("Told to stop: finishing the task, %.1f s to go", self._remaining)
        self._drain()

    def _drain(self) -> None:
        while not self._inbox.empty():
            report = self._inbox.get_nowait()
            if report is not None:
                self._outbox.add(report)

    def _due(self) -> float:
        due = self._not_before if self._outbox else self._next_beat
        deadline = self._stop.deadline if self.reason is None else math.inf
        return min(due, deadline, self._wedged_at)

    def _must_release(self) -> bool:
        """Whether we were told to stop and the task would not be finished in time."""
        if not self._stop.requested or self.reason in OVER:
            return False
        if self._remaining is None or self.reason == "canceled":
            return True
        return time.monotonic() + self._remaining > self._stop.deadline

    def _post(self) -> None:
        reports = self._outbox.take()
        sent = time.monotonic()
        try:
            beat = self._session.report(self.lease.id, reports)
        except GpugenError as error:
            self._outbox.give_back(reports)
            return self._not_posted(error)
        self._backoff.reset()
        self._expires = sent + beat.lease_seconds
        self._previews = beat.previews
        self._not_before = sent + POST_SECONDS
        self._next_beat = sent + self._session.terms.heartbeat_seconds
        if beat.cancel:
            self._interrupt("canceled")
        return None

    def _not_posted(self, error: GpugenError) -> None:
        """Try again while the lease lasts; without it the task is not ours and must not go on."""
        if not is_passing(error) or time.monotonic() > self._expires:
            log.warning("The hold on task %s is lost: %s", self.lease.task.id, describe(error))
            return self._interrupt("lost")
        self._not_before = self._next_beat = time.monotonic() + self._backoff.next()
        if self._closing:
            time.sleep(max(0.0, self._not_before - time.monotonic()))
        return None

    def _interrupt(self, reason: Reason) -> None:
        """Make the drawing stop; a lease that is over stays so."""
        if self.reason in OVER or reason == self.reason:
            return
        self.reason = reason
        patience = self._patience.to_stop(reason, self._step_seconds)
        self._stops_by = min(self._stops_by, time.monotonic() + patience)
