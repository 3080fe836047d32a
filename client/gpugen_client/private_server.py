"""The user's private server, running or new: it outlives whoever starts it and ends when idle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psutil
from filelock import AcquireReturnProxy, FileLock, Timeout

from gpugen_client import address, runtime
from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol import __version__, places
from gpugen_protocol.errors import GpugenError, LocalServerFailed, Misconfigured, VersionMismatch
from gpugen_protocol.local import RuntimeFile

START_SECONDS = 60.0  # a cold disk and a busy machine included; it usually takes one
END_SECONDS = 12.0  # a server ends within 10
MAX_LOG = 1_000_000  # bytes after which the log of the servers before is put aside


def find(environ: Mapping[str, str]) -> RuntimeFile | None:
    """The running private server of this user and data directory, or None.

    Raises:
        VersionMismatch: there is one, but of another version or environment.
        LocalServerFailed: there is one that does not answer.
    """
    known = runtime.look(places.runtime_file(places.data_dir(environ)))
    if known is not None and not runtime.is_ours(known):
        raise _mismatch(known)
    return known


def find_or_start(environ: Mapping[str, str]) -> RuntimeFile:
    """The running private server; there is none, one is started. Two callers at once get the same one.

    Raises:
        Misconfigured: the data directory cannot be used.
        VersionMismatch: one of another version or environment is busy.
        LocalServerFailed: it does not start; the sentence carries its last words.
    """
    data = places.data_dir(environ).absolute()
    file = places.runtime_file(data)
    known = runtime.look(file)
    if known is not None and runtime.is_ours(known):
        return known
    with _starting(data):
        known = runtime.look(file)
        if known is not None and runtime.is_ours(known):
            return known
        if known is not None:
            _end_other(known)
        return _start(data, environ)


def stop(environ: Mapping[str, str]) -> RuntimeFile | None:
    """End the running private server, of whatever version. Its tasks go on when the next one runs.

    Gives the server that has ended; None if there was none.

    Raises:
        LocalServerFailed: it does not answer, or does not end.
    """
    known = runtime.look(places.runtime_file(places.data_dir(environ)))
    if known is not None and not _ended(known):
        raise LocalServerFailed(
            f"Your private server (process {known.pid}) does not end.",
            hint=f"Try again, or end it with `kill -9 {known.pid}`.",
        )
    return known


def _starting(data: Path) -> AcquireReturnProxy[FileLock]:
    """Hold the lock that only one starter at a time holds, until the block is left."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "logs").mkdir(mode=0o700, exist_ok=True)
        return FileLock(data / "start.lock", timeout=START_SECONDS + END_SECONDS).acquire()
    except Timeout:
        raise LocalServerFailed(
            "Another program has been starting the private server for too long.",
            hint=f"Look into {data / 'logs' / 'server.log'}.",
        ) from None
    except OSError as error:
        raise Misconfigured(
            f"The data directory {data} cannot be used: {error.strerror or error}.",
            hint="Name another one in GPUGEN_DATA_DIR.",
        ) from None


def _end_other(known: RuntimeFile) -> None:
    """End a server of another version, if nobody needs it."""
    if not _idle(known) or not _ended(known):
        raise _mismatch(known)


def _ended(known: RuntimeFile) -> bool:
    """Whether the server has ended, now that it is asked to."""
    try:
        process = psutil.Process(known.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(END_SECONDS)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
    return True


def _idle(known: RuntimeFile) -> bool:
    try:
        stats = Tasks(Connection(known.url, known.token)).stats()
    except (GpugenError, msgspec.DecodeError):
        return False  # it may well be busy: it speaks another protocol
    return not stats.tasks.get("queued") and not stats.tasks.get("running")


def _mismatch(known: RuntimeFile) -> VersionMismatch:
    return VersionMismatch(
        f"Your private server (process {known.pid}) is gpugen {known.version} of {known.prefix}; "
        f"this is {__version__} of {sys.prefix}.",
        hint=f"Let it finish its tasks, or end it with `kill {known.pid}`.",
    )


def _start(data: Path, environ: Mapping[str, str]) -> RuntimeFile:
    log = data / "logs" / "server.log"
    try:
        places.runtime_file(data).unlink(missing_ok=True)  # a dead one's: the next answers at its address
        begin = _make_room(log)
        process = _spawn(data, log, environ)
    except OSError as error:
        raise _failure(f"{error.strerror or error}: {error.filename or log}.", log) from None
    threading.Thread(target=process.wait, name="gpugen-server-reaper", daemon=True).start()
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        known = runtime.look(places.runtime_file(data))
        if known is not None:
            address.remember(data, known.url)
            return known
        if process.returncode is not None:
            raise _failure(_last_words(log, begin), log)
        time.sleep(0.02)
    process.kill()
    raise _failure(f"It was not ready after {START_SECONDS:g} seconds.", log)


def _make_room(log: Path) -> int:
    """Put a long log aside; gives the length of what is already in it."""
    size = log.stat().st_size if log.exists() else 0
    if size <= MAX_LOG:
        return size
    log.replace(log.with_suffix(".log.1"))
    return 0


def _spawn(data: Path, log: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise LocalServerFailed("This Python does not know its own program.", hint="Start `gpugen serve`.")
    port = urlsplit(address.reserve(data)).port
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "gpugen_server", "--private", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=data,  # not the caller's folder: it may vanish, and holds modules of any name
            env=_environment(data, environ),
            **_detached(),
        )


def _environment(data: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment with the places spelt out, for the server works in another folder."""
    copy = {name: value for name, value in environ.items() if not name.startswith("GPUGEN_TOKEN")}
    copy["GPUGEN_DATA_DIR"] = str(data)
    if environ.get("GPUGEN_CONFIG"):
        copy["GPUGEN_CONFIG"] = str(places.config_file(environ).absolute())
    return copy


def _detached() -> dict[str, Any]:
    """What keeps the server alive when the caller, its terminal or its kernel ends."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
        return {"creationflags": flags}
    return {"start_new_session": True}


def _failure(reason: str, log: Path) -> LocalServerFailed:
    return LocalServerFailed(f"Your private server did not start. {reason}", hint=f"Its log: {log}")


def _last_words(log: Path, begin: int) -> str:
    """The last line the server wrote that says something; its errors end in a plain sentence."""
    with log.open("rb") as file:
        file.seek(begin, os.SEEK_SET)
        lines = file.read().decode("utf-8", "replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "It said nothing.")
    try:
        return str(json.loads(last)["event"])
    except (ValueError, KeyError, TypeError):
        return last.removeprefix("Error: ")
