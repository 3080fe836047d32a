"""Which server to talk to, and with which token: the named one, or this user's private one."""

from __future__ import annotations

import os
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from msgspec import Struct

from gpugen_client import private_server
from gpugen_client.connection import Connection
from gpugen_protocol import places
from gpugen_protocol.errors import Misconfigured, ServerUnreachable, Unauthorized
from gpugen_protocol.local import RuntimeFile

_MAKE_ONE = "`gpugen token create --scope user` on the server makes one."


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
    named = _Named.find(url, token, environ)
    if named is not None:
        return Connection(named.url, named.token)
    return PrivateConnection(environ, start=start)


def is_named(environ: Mapping[str, str]) -> bool:
    """Whether a server is named, so that no private one is used.

    Raises:
        Misconfigured: the config file cannot be read.
    """
    return bool(environ.get("GPUGEN_URL") or _text(_client_table(environ), "url"))


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


class _Named(Struct, frozen=True):
    """A server that somebody named, with its token."""

    url: str
    token: str

    @classmethod
    def find(cls, url: str | None, token: str | None, environ: Mapping[str, str]) -> _Named | None:
        file = _client_table(environ)
        address = url or environ.get("GPUGEN_URL") or _text(file, "url")
        if not address:
            if token:
                raise Misconfigured(
                    "A token was given but no server.", hint="Give url= too, or set GPUGEN_URL."
                )
            return None
        found = token or _from_environment(address, environ) or _from_file(address, file)
        if not found:
            raise Misconfigured(
                f"There is no token for the gpugen server at {address}.",
                hint=f"Set GPUGEN_TOKEN or GPUGEN_TOKEN_FILE; {_MAKE_ONE}",
            )
        return cls(address, found)


def _from_environment(address: str, environ: Mapping[str, str]) -> str:
    """The environment's token, unless it belongs to another server."""
    if environ.get("GPUGEN_URL", address).rstrip("/") != address.rstrip("/"):
        return ""
    if environ.get("GPUGEN_TOKEN"):
        return environ["GPUGEN_TOKEN"].strip()
    name = environ.get("GPUGEN_TOKEN_FILE")
    return read_token_file(Path(name)) if name else ""


def _from_file(address: str, file: Mapping[str, Any]) -> str:
    """The config file's token, unless it belongs to another server."""
    if _text(file, "url").rstrip("/") != address.rstrip("/"):
        return ""
    name = _text(file, "token_file")
    return _text(file, "token") or (read_token_file(Path(name)) if name else "")


def read_token_file(path: Path) -> str:
    """The one token in the file `path`.

    Raises:
        Misconfigured: it cannot be read, is empty, or holds anything else.
    """
    path = path.expanduser()
    try:
        token = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        token = "not\0text"  # noqa: S105
    except OSError as error:
        raise Misconfigured(
            f"The token file {path} cannot be read: {error.strerror}.", hint="Check GPUGEN_TOKEN_FILE."
        ) from None
    if not token:
        raise Misconfigured(f"The token file {path} is empty.", hint=f"It holds the token alone; {_MAKE_ONE}")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Misconfigured(
            f"The token file {path} holds something else than one token.", hint="It holds the token alone."
        )
    return token


def _client_table(environ: Mapping[str, str]) -> Mapping[str, Any]:
    path = places.config_file(environ)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("client", {})
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Misconfigured(f"The config file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The config file {path} is not valid TOML: {error}.") from None
    if not isinstance(table, dict):
        raise Misconfigured(f"`client` in {path} must be a table.", hint="Write a line [client].")
    return table


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise Misconfigured(f"[client] {key} in the config file must be a text, not {value!r}.")
    return value
