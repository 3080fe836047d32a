"""The extension as Jupyter Server sees it: configuration, handlers, stop."""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from gpugen_jupyter.activity import Activity
from gpugen_jupyter.environment import for_kernels
from gpugen_jupyter.routes import routes
from gpugen_jupyter.upstream import Upstream
from gpugen_protocol.places import JUPYTER_URL


class GpugenExtension(ExtensionApp):  # type: ignore[misc]  # jupyter_server is not typed
    """Passes the browser's requests on to the gpugen server, and tells kernels which one that is.

    Nothing is started or asked here: Jupyter must not start slower, and be it for an import.
    """

    name = "gpugen"
    extension_url = "/lab"
    load_other_extensions = True

    url = Unicode(
        "", help="The gpugen server; empty: GPUGEN_URL, gpugen's config file, or a private one."
    ).tag(config=True)
    token = Unicode("", help="A user token of that server. Kernels see it: never an admin's.").tag(
        config=True
    )
    token_file = Unicode("", help="A file with that token, instead of `token`.").tag(config=True)

    def initialize_settings(self) -> None:
        """The load hook: kernels inherit this process's environment; what we put there pins their server."""
        configured = {
            "GPUGEN_URL": self.url,
            "GPUGEN_TOKEN": self.token,
            "GPUGEN_TOKEN_FILE": self.token_file,
        }
        os.environ.update(for_kernels(configured, os.environ))
        os.environ[JUPYTER_URL] = self.serverapp.base_url
        self.settings["gpugen_upstream"] = upstream = Upstream(os.environ)
        self.settings["gpugen_activity"] = Activity(upstream)

    def initialize_handlers(self) -> None:
        """Add the addresses that are passed on."""
        self.handlers.extend(routes())

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """The loop runs. Only a Jupyter server that ends by itself has to be told of tasks."""
        if serverapp.shutdown_no_activity_timeout > 0:
            self.settings["gpugen_activity"].start()

    def current_activity(self) -> int:
        """How many tasks wait or run: while there are some, Jupyter does not end for want of activity."""
        activity = self.settings.get("gpugen_activity")
        return 0 if activity is None else int(activity.unfinished)

    async def stop_extension(self) -> None:
        """Let go of the connections; also when nothing was ever asked for, or even loaded."""
        activity = self.settings.get("gpugen_activity")
        if activity is not None:
            activity.stop()
        upstream = self.settings.get("gpugen_upstream")
        if upstream is not None:
            upstream.close()
