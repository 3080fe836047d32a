"""Tasks of one group, as one."""

from __future__ import annotations

from gpugen_server.queue import groups
from gpugen_server.web.handler import Handler


class OneGroup(Handler):
    """`/groups/{id}`."""

    role = "user"

    async def get(self, id: str) -> None:
        """Look up."""
        services = self.services
        live_after = services.live_after()
        self.answer(await services.database.run(groups.get, id, self.principal.owner, live_after))


class GroupCancel(Handler):
    """`/groups/{id}/cancel`."""

    role = "user"

    async def post(self, id: str) -> None:
        """Ask for all of it to stop."""
        services, owner = self.services, self.principal.owner
        await services.database.run(groups.withdraw, id, owner)
        self.answer(await services.database.run(groups.get, id, owner, services.live_after()))
