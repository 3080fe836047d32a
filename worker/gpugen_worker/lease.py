"""Our hold on one task: told to the server by a thread of its own, so that a long step never starves it."""

from __future__ import annotations

import base64
import queue
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from gpugen_protocol.worker import Lease
from gpugen_worker.backoff import Backoff
from gpugen_worker.generator import Interrupted
from gpugen_worker.log import log
from gpugen_worker.outbox import Outbox
from gpugen_worker.session import ServerSession, is_passing
from gpugen_worker.stop import Stop

POST_SECONDS = 0.1  # at most ten posts a second
PREVIEW_SECONDS = 0.25  # at most four previews a second

Reason = Literal["canceled", "lost", "released"]
OVER = frozenset({"lost", "released"})  # the lease is not ours any more


class Hold:
    """One lease while its task runs: the `Observer` of the drawing, and the heartbeat.

    The drawing thread calls the methods of `Observer`; `beat` runs in another thread. Between them are a
    queue, which a signal handler may also use, and `reason`: why the task must stop, once it must.
    """

    def __init__(self, lease: Lease, session: ServerSession, stop: Stop) -> None:
        self.lease = lease
        self.reason: Reason | None = None
        self.seconds: dict[str, float] = {}
        self._session = session
        self._stop = stop
        self._inbox: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._outbox = Outbox()
        self._backoff = Backoff(first=POST_SECONDS, longest=2.0)
        self._expires = time.monotonic() + lease.expires_in
        self._next_beat = time.monotonic() + session.terms.heartbeat_seconds
        self._not_before = 0.0
        self._previews = True
        self._last_preview = 0.0
        self._remaining: float | None = None
        self._phase: tuple[str, float] = ("", time.monotonic())
        self._closing = False

    # ---- what the drawing thread calls ----

    @property
    def wants_preview(self) -> bool:
        """Whether somebody watches and the last preview is old enough."""
        return self._previews and time.monotonic() - self._last_preview >= PREVIEW_SECONDS

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
        self._inbox.put(PhaseReport(phase=phase, text=text[:MAX_TEXT], data=data))

    def log(self, level: LogLevel, message: str) -> None:
        """A line for the user."""
        self._inbox.put(LogReport(level=level, message=message[:MAX_TEXT]))

    def step(self, image: int, step: int, steps: int, seconds_per_step: float) -> None:
        """A step is done. Raises Interrupted once the task must stop."""
        left = (self.lease.task.request.n - image) * steps - step
        self._remaining = left * seconds_per_step
        self._inbox.put(
            ProgressReport(image=image, step=step, steps=steps, seconds_per_step=seconds_per_step)
        )
        self.check()

    def preview(self, image: int, step: int, jpeg: bytes) -> None:
        """A small picture of what there is."""
        self._last_preview = time.monotonic()
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

    def _gather(self) -> None:
        """Collect reports until a post is due."""
        while not self._closing and not self._must_release():
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
        return min(due, self._stop.deadline)

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
        if self.reason not in OVER:
            self.reason = reason


class Keeper:
    """Keeps one hold after the other, in one thread whose connection stays open."""

    def __init__(self, session: ServerSession, stop: Stop) -> None:
        self._session = session
        self._stop = stop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beat")

    @contextmanager
    def hold(self, lease: Lease) -> Iterator[Hold]:
        """The hold on `lease`; when the block is left, everything reported has been told."""
        hold = Hold(lease, self._session, self._stop)
        with self._stop.telling(hold.wake):
            beating = self._thread.submit(self._beat, hold)
            try:
                yield hold
            finally:
                hold.close()
                beating.result()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _beat(self, hold: Hold) -> None:
        hold.beat()
        if hold.reason == "released":
            self._stop.interrupt()  # also out of a step or a load that takes long
