"""Images that tasks start from: taken from users, given to the workers of their tasks."""

from __future__ import annotations

from gpugen_protocol.task import Input
from gpugen_server.images import codec
from gpugen_server.queue import ids, inputs
from gpugen_server.queue.inputs import Arrival
from gpugen_server.web.claims import WorkerHandler
from gpugen_server.web.handler import IMAGE_SECONDS, Handler


class Inputs(Handler):
    """`/inputs`."""

    role = "user"
    body_seconds = IMAGE_SECONDS
    max_body = codec.max_upload(codec.LONGEST, codec.LONGEST)

    async def expect_body(self) -> None:
        """Whoever has sent too many need not send another one."""
        await self.services.database.run(inputs.check_room, self.principal.user)

    async def post(self) -> None:
        """Check, encode anew, keep; the same image again is the same input."""
        services, user = self.services, self.principal.user
        cleaned = await services.off_loop(services.decoders.clean, self.body(), codec.LONGEST)
        known = await services.database.run(inputs.find, user, cleaned.sha256)
        self.answer(known or await self._keep(cleaned), 201)

    async def _keep(self, cleaned: codec.Cleaned) -> Input:
        services, new = self.services, ids.ulid()
        file = await services.at_storage(services.images.write, new, 0, 0, cleaned.png)
        arrival = Arrival(new, cleaned.width, cleaned.height, len(cleaned.png), cleaned.sha256, file)
        kept: Input | None = None
        try:
            kept = await services.database.run(inputs.add, self.principal.user, arrival)
        finally:
            if kept is None or kept.id != new:
                await services.at_storage(services.images.remove, [file])
        return kept


class LeaseInput(WorkerHandler):
    """`/worker/leases/{lease}/inputs/{id}`."""

    async def get(self, lease: str, id: str) -> None:
        """The PNG, for the worker that draws from it."""
        services = self.services
        file = await services.database.run(inputs.file_for, lease, self.worker, id)
        png = await services.at_storage(services.images.read, file)
        self.send(png, "image/png")
