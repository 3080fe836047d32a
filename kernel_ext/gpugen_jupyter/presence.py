"""Whether a gpugen server is there and has something to do, without starting one or keeping one awake."""

from __future__ import annotations

import msgspec
from jupyter_server.auth import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from msgspec import Struct
from tornado.web import authenticated

from gpugen_jupyter.proxy import AUTH_RESOURCE
from gpugen_jupyter.upstream import Call, Upstream
from gpugen_protocol import paths, wire
from gpugen_protocol.health import Stats

PATH = "/presence"
_GLANCE_SECONDS = 5.0


class Sight(Struct, frozen=True, kw_only=True):
    """What was seen.

    Attributes:
        private: it is, or would be, this user's private server, which ends when nobody uses it.
        running: it answers.
        unfinished: how many tasks wait or run there.
    """

    private: bool
    running: bool
    unfinished: int = 0


async def look(upstream: Upstream) -> Sight:
    """The server as it is just now; any trouble looks like a server that does not run."""
    body = await upstream.glance(Call(method="GET", target=paths.STATS(), seconds=_GLANCE_SECONDS))
    if body is None:
        return Sight(private=upstream.private, running=False)
    try:
        tasks = msgspec.json.decode(body, type=Stats).tasks
    except msgspec.DecodeError:
        return Sight(private=upstream.private, running=False)
    unfinished = tasks.get("queued", 0) + tasks.get("running", 0)
    return Sight(private=upstream.private, running=True, unfinished=unfinished)


class Presence(ExtensionHandlerMixin, APIHandler):  # type: ignore[misc]  # jupyter_server is not typed
    """The panel asks here, again and again, before it opens what would start a server."""

    auth_resource = AUTH_RESOURCE

    @authenticated
    @authorized  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Look; that is no activity."""
        self._track_activity = False
        await self.finish(wire.encode(await look(self.settings["gpugen_upstream"])))
