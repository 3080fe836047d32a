"""Tokens over HTTP."""

from __future__ import annotations

from gpugen_protocol.errors import Forbidden
from gpugen_protocol.tokens import TokenList, TokenRequest
from gpugen_server import tokens
from gpugen_server.web.handler import Handler


class Tokens(Handler):
    """`/tokens`."""

    role = "user"

    async def get(self) -> None:
        """All tokens for an admin, else the user's own; never their text."""
        found = await self.services.database.run(tokens.listing, self.principal.owner)
        self.answer(TokenList(tokens=tuple(found)))

    async def post(self) -> None:
        """Make one; its text is shown only this once."""
        asked = self.read(TokenRequest)
        self.answer(await self.services.database.run(tokens.issue, self.principal, asked), 201)


class OneToken(Handler):
    """`/tokens/{id}`."""

    role = "user"

    async def delete(self, id: str) -> None:
        """Revoke it: its sessions, websockets and leases end."""
        if self.principal.parent is not None and id != self.principal.token:
            raise Forbidden("A token that another token has made ends no other.", hint="Use that other one.")
        await self.services.database.run(tokens.revoke, id, self.principal.owner)
        self.services.gate.forget()
        self.status = 204
