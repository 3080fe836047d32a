"""The server's folder: fit for a database, and in the hands of one server at a time."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from gpugen_protocol import places
from gpugen_protocol.errors import Misconfigured
from gpugen_server.settings import Settings

PATIENCE = 12.0  # seconds a private server waits for the one before it to end


def prepare(settings: Settings) -> None:
    """Make the data directory and see that a database can live in it.

    Raises:
        Misconfigured: it cannot be made or written to, or is on another machine.
    """
    data = settings.data
    try:
        for folder in (data, settings.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = data / f".probe-{secrets.token_hex(4)}"  # two may prepare it at once
        try:
            probe.write_bytes(b"x" * 4096)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"The data directory {data} cannot be written to: {error.strerror}.",
            hint="Name another one in GPUGEN_DATA_DIR.",
        ) from None
    if settings.database_file is not None:
        _check_file_system(settings.database_file)


@contextlib.contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Inside, no other server uses the data directory; the lock goes with the process, however it ends.

    Raises:
        Misconfigured: another server holds it.
    """
    lock = FileLock(settings.data / "server.lock")
    try:
        lock.acquire(timeout=PATIENCE if settings.private else 0.5)
    except Timeout:
        raise Misconfigured(
            f"Another gpugen server{_whose(settings.data)} uses the data directory {settings.data}.",
            hint="End it, set GPUGEN_URL and GPUGEN_TOKEN to use it, or name another GPUGEN_DATA_DIR.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _check_file_system(database: Path) -> None:
    mounts = [(mount.mountpoint, mount.fstype) for mount in psutil.disk_partitions(all=True)]
    kind = places.file_system(database.resolve(), mounts)
    if kind in places.NETWORK_FILE_SYSTEMS:
        raise Misconfigured(
            f"The database {database} would be on a network file system ({kind}), where SQLite loses data.",
            hint="Name a folder on a local disk in GPUGEN_DATA_DIR.",
        )


def _whose(data: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return f" (process {json.loads(places.runtime_file(data).read_bytes())['pid']})"
    return ""
