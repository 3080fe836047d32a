"""What tests of the user's side share: a client for the test server, the command line in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import DrawingWorker, drawing_worker

from gpugen.client import Client

__all__ = ["drawing_worker"]  # a fixture


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    """A client for `server`."""
    with Client(server.url, server.user_token) as found:
        yield found


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`interrupt(owner, "name", after=False)`: Ctrl-C at the first call of that, or when it is done."""

    def prepare(owner: Any, name: str, *, after: bool = False) -> None:
        original = getattr(owner, name)
        left = [signal.SIGINT]

        def interrupted(*args: Any, **details: Any) -> Any:
            if left and not after:
                signal.raise_signal(left.pop())
            result = original(*args, **details)
            if left:
                signal.raise_signal(left.pop())
            return result

        monkeypatch.setattr(owner, name, interrupted)

    return prepare


class Shell:
    """Runs `gpugen` for `server`, in a folder of its own.

    Attributes:
        folder: the working directory.
        environ: the environment; without anything of gpugen's but the server and the token.
    """

    def __init__(self, folder: Path, url: str, token: str) -> None:
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}
        self.environ = {**clean, "GPUGEN_URL": url, "GPUGEN_TOKEN": token, "HOME": str(folder)}
        self._started: list[subprocess.Popen[str]] = []

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "gpugen", *arguments],
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *arguments: str, stderr: int = subprocess.PIPE, **environ: str) -> subprocess.Popen[str]:
        """Start one command; it does not outlive the test."""
        process = subprocess.Popen(
            [sys.executable, "-m", "gpugen", *arguments],
            cwd=self.folder,
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End whatever still runs."""
        for process in self._started:
            with process:
                process.kill()

    def files(self) -> list[str]:
        """Every file below the working directory."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def gpugen(server: Any, tmp_path: Path) -> Iterator[Shell]:
    """`gpugen("generate", "a cat")`: the command line at `server`."""
    folder = tmp_path / "work"
    folder.mkdir()
    shell = Shell(folder, server.url, server.user_token)
    yield shell
    shell.close()


@pytest.fixture
def gpugen_drawing(gpugen: Shell, drawing_worker: DrawingWorker) -> Shell:
    """The same, with a worker that draws."""
    return gpugen


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)
