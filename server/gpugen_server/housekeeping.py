"""What a server does now and then for expired leases and all that is too old; one of several for all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gpugen_server.autoscale import machines
from gpugen_server.complaints import Complaints
from gpugen_server.database import Database, Store
from gpugen_server.images import accept
from gpugen_server.queue import duty, inputs, reap, retention, trash
from gpugen_server.queue.duty import Duty
from gpugen_server.queue.retention import Policy
from gpugen_server.settings import Settings
from gpugen_server.web.services import Services

NAME = "housekeeping"
_HAND_ON = 1.0  # seconds that a server which stops has for it
PRUNE_SECONDS = 60.0  # between two looks for what is too old

log = structlog.get_logger(__name__)


class Housekeeping:
    """The background work of one server."""

    def __init__(self, database: Database, services: Services, settings: Settings) -> None:
        self._database = database
        self._services = services
        self._settings = settings
        # Shorter than a lease surely lasts: while the duty of a server that died holds, so do its leases.
        self._duty = Duty(NAME, (settings.lease_seconds - settings.heartbeat_seconds) * 0.9)
        self._policy = policy(settings)
        self._work: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Spare what the workers could not renew while no server was there, and begin."""
        await self._database.run(self._spare)
        every = min(self._settings.heartbeat_seconds, self._settings.lease_seconds) / 2
        self._work = [
            asyncio.create_task(_now_and_then(every, self._reap, "expired leases could not be looked for")),
            asyncio.create_task(_now_and_then(PRUNE_SECONDS, self._prune, "old tasks could not be removed")),
            asyncio.create_task(self._sweep()),
        ]

    async def stop(self) -> None:
        """End it, and let another server go on at once."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self._work:
            try:
                async with asyncio.timeout(_HAND_ON):
                    await self._database.run(self._duty.hand_on)
            except Exception as error:  # the duty ends by itself soon
                Complaints(log).log("the duty could not be handed on", error)

    def _spare(self, store: Store) -> None:
        alone = self._database.engine.upgrades_itself
        if alone or not duty.held(store, NAME):
            reap.spare(store, self._settings.lease_seconds)
        self._duty.take(store)

    async def _reap(self) -> None:
        """Claims take expired leases back themselves; this is for when nobody claims."""
        await self._database.run(lambda store: reap.reap(store) if self._duty.take(store) else 0)

    async def _prune(self) -> None:
        more = True
        while more and await self._database.run(self._duty.take):
            files, more = await self._database.run(retention.prune, self._policy)
            files += await self._database.run(inputs.forget)
            await self._services.drop(files)
        if await self._database.run(self._duty.take):
            await self._services.drop(await self._database.run(trash.left))
            settings = self._settings
            await self._database.run(machines.write_off, settings.autoscaler, settings.gce_max_run)

    async def _sweep(self) -> None:
        """Remove the files of images that a server killed in between has written but not accepted."""
        images, at_storage = self._services.images, self._services.at_storage
        try:
            for folder in await at_storage(images.folders):
                names = await at_storage(images.settled, folder)
                useless = await self._database.run(accept.orphans, folder, names)
                await at_storage(images.remove, useless)
        except Exception as error:  # it is tidying up: the next start tries again
            Complaints(log).log("useless image files could not be removed", error)


def policy(settings: Settings) -> Policy:
    """How long to keep what, as the settings say."""
    return Policy(
        failed=settings.keep_failed,
        succeeded=settings.keep_succeeded,
        events=settings.keep_events,
        image_bytes=settings.max_image_bytes,
    )


async def _now_and_then(seconds: float, work: Callable[[], Awaitable[None]], trouble: str) -> None:
    complaints = Complaints(log)
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:  # whatever it is, the next time may go well
            complaints.log(trouble, error)
