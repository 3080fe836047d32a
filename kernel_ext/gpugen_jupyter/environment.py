"""What kernels are told, so that magic, CLI and browser speak to one server as one user.

A server that was named (configuration of the extension, or environment) is handed on with its token. A
private server is not named: it ends when idle and comes back on another port, and a kernel lives longer than
that. What pins it is the data directory: whoever needs the server finds it, or starts it, from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gpugen_protocol import places


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
    return found


def _absolute(path: Path) -> str:
    return str(path.absolute())
