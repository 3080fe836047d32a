"""What kernels are told, so that magic, CLI and browser speak to one server as one user.

Every kernel gets GPUGEN_URL and a user token (itself, or in a file). A server that was named, by the
extension's configuration, the environment or the config file, is handed on as it is. Else it is the private
server: nothing is started for that, for its address is chosen beforehand and stays (`gpugen_client.address`);
what knows gpugen starts the server behind it when it is first needed, and after it has ended for want of use.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from gpugen_client import address
from gpugen_client.named import Named
from gpugen_protocol import places
from gpugen_protocol.errors import GpugenError


def for_kernels(configured: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables to set over `environ`, with every path absolute: kernels run in the notebook's folder."""
    named = {name: value for name, value in configured.items() if value}
    if "GPUGEN_TOKEN_FILE" in named and "GPUGEN_TOKEN" not in named:
        named["GPUGEN_TOKEN"] = ""  # or one in the environment, for another server, would win
    known = {**environ, **named}
    found = {**named, "GPUGEN_DATA_DIR": _absolute(places.data_dir(known))}
    if known.get("GPUGEN_CONFIG"):
        found["GPUGEN_CONFIG"] = _absolute(places.config_file(known))
    if known.get("GPUGEN_TOKEN_FILE"):
        found["GPUGEN_TOKEN_FILE"] = _absolute(Path(known["GPUGEN_TOKEN_FILE"]).expanduser())
    return {**_server(known), **found}


def _server(known: Mapping[str, str]) -> dict[str, str]:
    """Address and token; nothing where they cannot be had: whoever needs the server then says why."""
    with contextlib.suppress(GpugenError, OSError):
        named = Named.find(None, None, known)
        if named is None:
            return _private(places.data_dir(known).absolute())
        if not known.get("GPUGEN_URL"):  # the config file's
            return {"GPUGEN_URL": named.url, "GPUGEN_TOKEN": named.token}
    return {}


def _private(data: Path) -> dict[str, str]:
    return {"GPUGEN_URL": address.reserve(data), "GPUGEN_TOKEN_FILE": _absolute(places.token_file(data))}


def _absolute(path: Path) -> str:
    return str(path.absolute())
