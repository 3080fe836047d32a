"""The worker's life: open a session, claim, run, claim again, leave when idle or told to."""

from __future__ import annotations

import time

from gpugen_protocol.errors import GpugenError, TooManyRequests, Unavailable, describe
from gpugen_protocol.worker import ClaimRequest, Lease, Session
from gpugen_worker.backoff import Backoff
from gpugen_worker.generator import Generator
from gpugen_worker.job import Job
from gpugen_worker.keeper import Keeper
from gpugen_worker.log import log
from gpugen_worker.patience import Patience
from gpugen_worker.session import ServerSession, is_passing
from gpugen_worker.stop import Stop, Stopped

MAX_POLL = 60.0  # seconds; what a claim may ask for


class Loop:
    """Works until it is stopped, idle for too long, or done with its one task.

    Args:
        session: not yet opened.
        generator: what draws.
        stop: its signals.
        idle_exit: seconds without work until it leaves; None: as the server says.
        once: leave after one task.
        patience: how long a silent drawing is waited for.
    """

    def __init__(
        self,
        session: ServerSession,
        generator: Generator,
        stop: Stop,
        *,
        idle_exit: float | None = None,
        once: bool = False,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        self._session = session
        self._generator = generator
        self._stop = stop
        self._idle_exit = idle_exit
        self._once = once
        self._patience = patience
        self._leases: tuple[Lease, ...] = ()  # ours, and not begun
        self._backoff = Backoff()
        self._busy_until = time.monotonic()

    def run(self) -> None:
        """Work.

        Raises:
            ServerUnreachable: the first session could not be opened.
            Unauthorized, Forbidden, WorkerTooOld: the server does not want this worker.
        """
        keeper = Keeper(self._session, self._stop, self._patience)
        try:
            self._open()
            self._work(Job(self._session, keeper, self._generator))
        except Stopped:
            log.info("Told to stop")
        finally:
            self._give_back()
            keeper.close()

    def _open(self) -> None:
        terms = self._introduce()
        if self._idle_exit is None:
            self._idle_exit = terms.idle_seconds
        log.info("Worker %s serves %s", terms.worker_id, ", ".join(self._generator.models) or "no model")

    def _introduce(self) -> Session:
        """Open the session. A server that answers and only has no time for it is waited for."""
        while True:
            try:
                with self._stop.idle():
                    return self._session.open()
            except (TooManyRequests, Unavailable) as error:
                self._wait_for_server(error)

    def _work(self, job: Job) -> None:
        self._busy_until = time.monotonic()
        while not self._stop.requested:
            if not self._leases:
                self._claim()
            if self._leases:
                lease, *rest = self._leases
                self._leases = tuple(rest)
                self._leases += job.run(lease, self._next_claim)
                self._busy_until = time.monotonic()
                if self._once:
                    return
            elif self._idle_left() <= 0:
                log.info("Idle for %g s: leaving", self._idle_exit)
                return

    def _claim(self) -> None:
        wait = min(self._session.terms.poll_seconds, MAX_POLL, max(0.0, self._idle_left()))
        try:
            with self._stop.idle():
                self._leases = self._session.claim(self._request(wait))  # inside: Stopped must find them
        except GpugenError as error:
            if not is_passing(error):
                raise
            return self._wait_for_server(error)
        self._backoff.reset()
        return None

    def _wait_for_server(self, error: GpugenError) -> None:
        delay = error.retry_after or self._backoff.next()
        log.warning("%s Trying again in %.1f s.", describe(error), delay)
        with self._stop.idle():
            time.sleep(delay)

    def _give_back(self) -> None:
        """What was received too late to begin with: another worker can start at once."""
        for lease in self._leases:
            try:
                self._session.release(lease.id, "the worker is stopping")
            except GpugenError as error:
                log.warning("Task %s waits for its lease to end. %s", lease.task.id, describe(error))

    def _next_claim(self) -> ClaimRequest | None:
        """What to claim with the end of a task: what is there now; waiting is a request of its own."""
        return None if self._once or self._stop.requested else self._request(0.0)

    def _request(self, wait: float) -> ClaimRequest:
        generator = self._generator
        return ClaimRequest(wait_seconds=wait, models=generator.models, loaded=generator.loaded)

    def _idle_left(self) -> float:
        if self._idle_exit is None:
            return MAX_POLL
        return self._busy_until + self._idle_exit - time.monotonic()
