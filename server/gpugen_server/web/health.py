"""Is the server alive, are its parts, and what does it know."""

from __future__ import annotations

import time
from collections import Counter

from gpugen_protocol import __version__
from gpugen_protocol.errors import GpugenError
from gpugen_protocol.health import Health, Part, Stats
from gpugen_protocol.models import ModelList
from gpugen_protocol.worker import WorkerList
from gpugen_server.autoscale import listing
from gpugen_server.database import Store
from gpugen_server.queue import demand, workers
from gpugen_server.web.handler import Handler


class Healthz(Handler):
    """`/healthz`."""

    role = "public"

    async def get(self) -> None:
        """The process answers; no details for strangers."""
        self.answer(Health(state="ok", version=__version__))


class Readyz(Handler):
    """`/readyz`."""

    role = "public"

    async def get(self) -> None:
        """Whether every part is up; 503 if tasks cannot be taken."""
        parts = (await self._database(), self._redis(), await self._storage())
        states = {part.state for part in parts}
        state = next((state for state in ("down", "degraded") if state in states), "ok")
        health = Health(state=state, version=__version__, parts=parts)  # type: ignore[arg-type]
        self.answer(health, 503 if state == "down" else 200)

    async def _database(self) -> Part:
        try:
            await self.services.database.run(lambda store: store.value("SELECT 1"))
        except GpugenError as error:
            return Part(name="database", state="down", text=type(error).__doc__ or "")
        return Part(name="database", state="ok")

    def _redis(self) -> Part:
        if self.services.hub.degraded:
            text = "Redis does not answer: progress and previews may be missing, results still arrive."
            return Part(name="redis", state="degraded", text=text)
        return Part(name="redis", state="ok")

    async def _storage(self) -> Part:
        try:
            await self.services.at_storage(self.services.images.check)
        except GpugenError:
            return Part(name="storage", state="down", text="Images cannot be written.")
        return Part(name="storage", state="ok")


class Models(Handler):
    """`/models`."""

    role = "user"

    async def get(self) -> None:
        """The registry."""
        registry = self.services.registry
        self.answer(ModelList(models=tuple(registry.models.values()), default=registry.default))


class Workers(Handler):
    """`/workers`."""

    role = "user"

    async def get(self) -> None:
        """Who showed up within the last hour."""
        found = await self.services.database.run(
            workers.listing, self.services.live_after(), self.principal.owner
        )
        answer = WorkerList(
            workers=tuple(found),
            machines=tuple(await self.services.database.run(listing.present)),
            autoscaler=self.services.settings.autoscaler,
            autoscaler_text=self.services.autoscaler_text(),
        )
        self.answer(answer)


class Numbers(Handler):
    """`/stats`."""

    role = "user"
    keeps_awake = False  # who only counts wants nothing done

    async def get(self) -> None:
        """How many of what."""
        tasks, staff = await self.services.database.run(count, self.services.live_after())
        stats = Stats(
            tasks=tasks,
            workers=staff,
            cost=await self.services.costs.now(),
            uptime_seconds=round(time.monotonic() - self.services.started, 1),
            watchers=len(self.services.hub),
        )
        self.answer(stats)


def count(store: Store, live_after: float) -> tuple[dict[str, int], dict[str, int]]:
    """Tasks by state and workers by state; workers seen since `live_after` count as there."""
    staff = Counter(str(worker.state) for worker in workers.listing(store, live_after, None))
    return demand.counts(store), dict(staff)
