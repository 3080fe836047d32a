"""The runtime file of a private server, read with distrust: is there still somebody behind it?"""

from __future__ import annotations

import contextlib
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil

from gpugen_protocol import __version__, paths
from gpugen_protocol.errors import LocalServerFailed
from gpugen_protocol.health import Health
from gpugen_protocol.local import RuntimeFile

ANSWER_SECONDS = 10.0  # the machine may be busy drawing


def look(path: Path) -> RuntimeFile | None:
    """The server that wrote the file `path`, if it is alive, whatever its version.

    Raises:
        LocalServerFailed: its process is there and listens, but does not answer.
    """
    known = _read(path)
    return known if known is not None and process_lives(known.pid) and _answers(known) else None


def is_ours(known: RuntimeFile) -> bool:
    """Whether the server is of this version of gpugen and of this environment."""
    return (known.version, known.prefix) == (__version__, sys.prefix)


def process_lives(pid: int) -> bool:
    """Whether there is a process `pid` that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _read(path: Path) -> RuntimeFile | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=RuntimeFile)
    except (OSError, msgspec.DecodeError):
        return None


def _answers(known: RuntimeFile) -> bool:
    """Whether the server itself listens at its address, rather than somebody who got its port later."""
    try:
        health = msgspec.json.decode(_ask(known.url), type=Health)
    except TimeoutError:
        raise LocalServerFailed(
            f"Your private server (process {known.pid}) does not answer.",
            hint=f"Try again, or end it with `kill {known.pid}`.",
        ) from None
    except (OSError, HTTPException, msgspec.DecodeError):
        return False
    return health.version == known.version


def _ask(url: str) -> bytes:
    """The answer of /healthz, by the shortest way: every command begins with this."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", paths.HEALTHZ())
        return connection.getresponse().read()
