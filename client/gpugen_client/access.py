"""Which server to talk to, and with which token: the named one, or this user's private one."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import requests

from gpugen_client import private_server
from gpugen_client.connection import Connection
from gpugen_client.named import Named
from gpugen_protocol.errors import ServerUnreachable, Unauthorized
from gpugen_protocol.local import RuntimeFile


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    start: bool = True,
) -> Connection:
    """The server of the arguments, else of the environment, else of the config file, else the private one.

    Args:
        url: such as `http://gpu-server:8787`.
        token: a user token of that server.
        environ: where the GPUGEN_* variables are read.
        start: whether a private server may be started; else one must be running.

    Raises:
        Misconfigured: a server without a token, a token file that cannot be used.
        ServerUnreachable: no server is named and no private one runs, with `start=False`.
        LocalServerFailed, VersionMismatch: the private server does not start or is another version's.
    """
    named = Named.find(url, token, environ)
    if named is not None:
        return Connection(named.url, named.token)
    return PrivateConnection(environ, start=start)


class PrivateConnection(Connection):
    """A connection to this user's private server. That one ends when idle; then the next one is used."""

    def __init__(self, environ: Mapping[str, str], *, start: bool) -> None:
        self._environ = dict(environ)
        self._start = start
        self._renewing = threading.Lock()
        runtime = self._find()
        super().__init__(runtime.url, runtime.token, retries=1)

    def send(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: tuple[float, float] | None = None,
    ) -> requests.Response:
        """As `Connection.send`; a server that is gone is replaced and asked once more."""
        used = (self.url, self.token)
        try:
            return super().send(method, path, data=data, params=params, headers=headers, timeout=timeout)
        except (ServerUnreachable, Unauthorized):
            if not self._renewed(used):
                raise
        return super().send(method, path, data=data, params=params, headers=headers, timeout=timeout)

    def _renewed(self, used: tuple[str, str]) -> bool:
        with self._renewing:
            if (self.url, self.token) == used:
                runtime = self._find()
                self.url, self.token = runtime.url, runtime.token
                self._local = threading.local()  # the sessions hold the old token
            return (self.url, self.token) != used

    def _find(self) -> RuntimeFile:
        if self._start:
            return private_server.find_or_start(self._environ)
        runtime = private_server.find(self._environ)
        if runtime is None:
            raise ServerUnreachable(
                "No gpugen server is running here, and GPUGEN_URL names none.",
                hint="Submit a task to start your private one, or set GPUGEN_URL.",
            )
        return runtime
