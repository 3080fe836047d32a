"""The websocket of events, bridged: what either side says is passed on to the other."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import ensure_async
from tornado.web import HTTPError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketHandler

from gpugen_jupyter.proxy import AUTH_RESOURCE, target
from gpugen_jupyter.upstream import Upstream
from gpugen_protocol import paths
from gpugen_protocol.errors import GpugenError

_TRY_AGAIN = 1013  # the websocket close code for "later, perhaps"


class Events(WebSocketMixin, WebSocketHandler, ExtensionHandlerMixin, JupyterHandler):  # type: ignore[misc]
    """One browser's websocket and ours to the gpugen server, which lives as long."""

    auth_resource = AUTH_RESOURCE

    def initialize(self, name: str) -> None:
        """Nothing is open yet."""
        super().initialize(name)
        self._upstream: WebSocketClientConnection | None = None
        self._pump: asyncio.Task[None] | None = None

    @ws_authenticated  # type: ignore[untyped-decorator]
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open it for whom Jupyter's authorizer lets read."""
        allowed = self.authorizer.is_authorized(self, self.current_user, "read", self.auth_resource)
        if not await ensure_async(allowed):
            raise HTTPError(403)
        await super().get(*args, **kwargs)

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """Open the other half, too."""
        super().open(*args, **kwargs)
        upstream: Upstream = self.settings["gpugen_upstream"]
        try:
            self._upstream = await upstream.open_socket(target(paths.EVENTS, {}, self.request.query))
        except GpugenError as error:
            self.close(_TRY_AGAIN, str(error)[:100])
        else:
            self._pump = asyncio.create_task(self._bring(self._upstream))

    async def on_message(self, message: str | bytes) -> None:
        """Pass on what the browser says."""
        if self._upstream is not None:
            try:
                await self._upstream.write_message(message, binary=isinstance(message, bytes))
            except WebSocketClosedError:
                self.close(_TRY_AGAIN)

    def on_close(self) -> None:
        """Close the other half, too."""
        super().on_close()
        if self._upstream is not None:
            self._upstream.close()

    async def _bring(self, upstream: WebSocketClientConnection) -> None:
        """Pass on what the server says, no faster than the browser takes it."""
        try:
            while (message := await upstream.read_message()) is not None:
                await self.write_message(message, binary=isinstance(message, bytes))
        except WebSocketClosedError:
            return  # the browser has gone
        self.close(upstream.close_code or _TRY_AGAIN, upstream.close_reason)
