"""The autoscaler: one function compares what is wanted with what is there, whenever something has changed."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog

from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale import demand
from gpugen_server.autoscale.demand import Demand
from gpugen_server.autoscale.provider import Ended, Provider
from gpugen_server.complaints import Complaints
from gpugen_server.database import Database
from gpugen_server.queue.demand import tell_waiting

PERIOD = 5.0  # seconds between two looks when nobody wakes it
SHORT_PERIOD = 0.5  # the same while a worker starts
LONGEST_PAUSE = 60.0  # seconds between two attempts to start a worker
WELL_LIVED = 60.0  # seconds after which a worker's end is no sign that the next one ends as well
MAX_WORDS = 300  # characters of a worker's last words that are shown

log = structlog.get_logger(__name__)


class Autoscaler:
    """Starts workers while tasks wait; workers leave by themselves when idle.

    Args:
        provider: where workers come from.
        max_workers: never more than that.
        live_seconds: a worker heard of within this time is there.
    """

    def __init__(
        self, database: Database, provider: Provider, *, max_workers: int, live_seconds: float
    ) -> None:
        self._database = database
        self._provider = provider
        self._max_workers = max_workers
        self._live_seconds = live_seconds
        self._changed = asyncio.Event()
        self._failures = 0  # ends in a row without having been of use
        self._not_before = 0.0
        self._starting = False  # whether tasks were told that a worker starts
        self._ended: list[Ended] = []
        self._loop: asyncio.Task[None] | None = None
        self._trouble = ""
        self._complaints = Complaints(log)

    async def start(self) -> None:
        """Begin; workers of a former life of this server are gone."""
        await self._database.run(demand.forget_workers)
        self._loop = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Something has changed: a task was submitted, say."""
        self._changed.set()

    def describe(self) -> str:
        """What it does, for people."""
        running = self._provider.running
        return self._trouble or f"{running} of at most {self._max_workers} on {self._provider.place}"

    async def stop(self) -> None:
        """End the loop and the workers."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        await self._provider.stop()

    async def reconcile(self) -> None:
        """Bring what is there closer to what is wanted."""
        while self._ended:
            await self._note_end(self._ended.pop(0))
        live_after = self._database.now() - self._live_seconds
        now = await self._database.run(demand.read, live_after)
        if now.started and now.unserved:  # all workers of this server offer the same
            await self._database.run(demand.fail_unserved, live_after, _model_missing)
            now = await self._database.run(demand.read, live_after)
        if not now.waiting:
            return
        if self._missing(now) > 0 and time.monotonic() >= self._not_before:
            await self._start_one(now, live_after)
        elif self._provider.running > now.started:
            await self._tell_starting()
        elif self._starting:
            self._starting = False
            await self._database.run(demand.line_up, live_after)

    async def _run(self) -> None:
        while True:
            try:
                await self.reconcile()
            except Exception as error:  # whatever it is, the next look may go well
                self._complaints.log("the autoscaler could not do its work", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SHORT_PERIOD if self._starting else PERIOD):
                    await self._changed.wait()
            self._changed.clear()

    def _missing(self, now: Demand) -> int:
        """How many workers to start: those of others count as well, those just starting too."""
        return min(self._max_workers, now.waiting + now.running) - now.others - self._provider.running

    async def _start_one(self, now: Demand, live_after: float) -> None:
        obstacle = self._provider.obstacle()
        if obstacle is not None:
            await self._give_up(obstacle, now, live_after)
            return
        self._trouble = ""
        await self._tell_starting()
        await self._provider.start(self._on_end)

    async def _give_up(self, obstacle: TaskFailure, now: Demand, live_after: float) -> None:
        if obstacle.message != self._trouble:
            log.warning("no worker can start", reason=obstacle.message)
        self._trouble = obstacle.message
        if now.absent:
            await self._database.run(demand.fail_unserved, live_after, lambda _model: obstacle)

    async def _tell_starting(self) -> None:
        self._starting = True
        text = f"Starting a worker on {self._provider.place}"
        await self._database.run(tell_waiting, None, "starting", text, None)

    def _on_end(self, ended: Ended) -> None:
        self._ended.append(ended)
        self.wake()

    async def _note_end(self, ended: Ended) -> None:
        log.info("a worker ended", code=ended.code, lived=round(ended.lived, 1), last=ended.last_words)
        if not self._provider.running:
            await self._database.run(demand.forget_workers)
        useful = ended.lived > WELL_LIVED or ended.code == 0  # 0: it was idle for its time
        self._failures = 0 if useful else self._failures + 1
        self._trouble = ""
        if useful:
            return
        pause = min(LONGEST_PAUSE, 2.0**self._failures)
        self._not_before = time.monotonic() + pause
        asyncio.get_running_loop().call_later(pause, self.wake)
        words = ended.last_words[:MAX_WORDS]
        self._trouble = f"A worker on {self._provider.place} ended with code {ended.code}: {words}"
        await self._database.run(demand.complain, self._trouble)
        text = f"The worker ended at once; trying again in {pause:g} s. {words}"
        await self._database.run(tell_waiting, None, "queued", text, None)


def _model_missing(model: str) -> TaskFailure:
    return TaskFailure(
        code="model_missing",
        message=f"No worker here has the model {model}: its files cannot be had on this machine.",
        hint="Its folder may be missing, or the machine is offline and never loaded it: see `gpugen models` "
        "and `gpugen doctor`.",
    )
