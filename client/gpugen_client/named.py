"""The server that somebody named, with its token: by arguments, environment, or config file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gpugen_client import address
from gpugen_protocol import places
from gpugen_protocol.errors import Misconfigured

_MAKE_ONE = "`gpugen token create --scope user` on the server makes one."


class Named(Struct, frozen=True):
    """A server that somebody named, with its token."""

    url: str
    token: str

    @classmethod
    def find(cls, url: str | None, token: str | None, environ: Mapping[str, str]) -> Named | None:
        """The server of arguments, else environment, else config file; None: the private one.

        Raises:
            Misconfigured: a server without a token, a token without a server, a file that cannot be used.
        """
        file = _client_table(environ)
        where = url or _address(environ, file)
        if not where:
            if token:
                raise Misconfigured(
                    "A token was given but no server.", hint="Give url= too, or set GPUGEN_URL."
                )
            return None
        found = token or _from_environment(where, environ) or _from_file(where, file)
        if not found:
            raise Misconfigured(
                f"There is no token for the gpugen server at {where}.",
                hint=f"Set GPUGEN_TOKEN or GPUGEN_TOKEN_FILE; {_MAKE_ONE}",
            )
        return cls(where, found)


def is_named(environ: Mapping[str, str]) -> bool:
    """Whether environment or config file name a server, so that no private one is used.

    Raises:
        Misconfigured: the config file cannot be read.
    """
    return bool(_address(environ, _client_table(environ)))


def _address(environ: Mapping[str, str], file: Mapping[str, Any]) -> str:
    """Empty for the private server, which the environment may name too: see gpugen_client.address."""
    named = environ.get("GPUGEN_URL", "")
    if named:
        return "" if address.is_private(named, environ) else named
    return _text(file, "url")


def _from_environment(where: str, environ: Mapping[str, str]) -> str:
    """The environment's token, unless it belongs to another server."""
    if environ.get("GPUGEN_URL", where).rstrip("/") != where.rstrip("/"):
        return ""
    if environ.get("GPUGEN_TOKEN"):
        return environ["GPUGEN_TOKEN"].strip()
    name = environ.get("GPUGEN_TOKEN_FILE")
    return read_token_file(Path(name)) if name else ""


def _from_file(where: str, file: Mapping[str, Any]) -> str:
    """The config file's token, unless it belongs to another server."""
    if _text(file, "url").rstrip("/") != where.rstrip("/"):
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
