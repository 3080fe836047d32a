"""Where a data directory's private server listens: chosen before it runs, and the same for the next one.

So programs that only know addresses (a script in a notebook, say) can be told one that outlives the server.
The port can be lost to a stranger while no server runs; then the next server takes another, and the file
remembers both: whoever was told the old address still means this private server.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from gpugen_protocol import places

_HOST = "127.0.0.1"


def reserve(data: Path) -> str:
    """The address for the private server of the data directory `data`; chosen now if none ever was.

    Raises:
        OSError: the directory cannot be written.
    """
    found = known(data)
    if found:
        return found[-1]
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_first(places.addresses_file(data), f"http://{_HOST}:{_free_port()}\n")
    return known(data)[-1]


def known(data: Path) -> tuple[str, ...]:
    """Every address that the private server of `data` has had, the present one last."""
    try:
        return tuple(places.addresses_file(data).read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError):
        return ()


def remember(data: Path, url: str) -> None:
    """The private server of `data` now listens at `url`.

    Raises:
        OSError: the directory cannot be written.
    """
    before = known(data)
    if before[-1:] != (url,):
        lines = [*(address for address in before if address != url), url]
        draft = _draft(places.addresses_file(data), "\n".join(lines) + "\n")
        draft.replace(places.addresses_file(data))


def is_private(url: str, environ: Mapping[str, str]) -> bool:
    """Whether `url` means the private server of this environment's data directory."""
    return url.rstrip("/") in known(places.data_dir(environ))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _write_first(path: Path, text: str) -> None:
    """Write `path` unless somebody else is first; nobody ever sees half of it."""
    draft = _draft(path, text)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.write_text(text, encoding="ascii")
    return draft
