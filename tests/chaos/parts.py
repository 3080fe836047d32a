"""The processes of a round: each can be killed, paused and started again, and is never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec
import psutil
from tests.chaos.history import History
from tests.fakes import until


class Part:
    """A process that is started again and again with the same command.

    Attributes:
        name: what the history calls it.
        folder: where its log is.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], list[str]],
        environ: dict[str, str],
        history: History,
        log: Path,
    ) -> None:
        self.name = name
        self._command = command
        self._environ = environ
        self._history = history
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Part:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Begin anew if it does not run; that it ended by itself goes into the history."""
        if self.alive:
            return
        if self.process is not None:
            self._history.note("ended", part=self.name, code=self.process.returncode)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command(), env=self._environ, stdout=log, stderr=log)
        self.ready()

    def ready(self) -> None:
        """Wait until it works."""

    def kill(self) -> None:
        """End it without a word, wherever it is."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.alive:
            assert self.process is not None
            self.process.send_signal(number)

    def stop(self, seconds: float) -> int:
        """Ask it to end; gives its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(seconds)
        self.process = None
        return code


class ServerPart(Part):
    """A gpugen server on a port that stays the same.

    Args:
        program: what is run, without the arguments.
        folder: of its data directory, its ready file and its log.
    """

    def __init__(
        self, program: tuple[str, ...], folder: Path, environ: dict[str, str], history: History
    ) -> None:
        self.port = 0
        self._program = program
        self._ready_file = folder / "ready.json"
        super().__init__("server", self._arguments, environ, history, folder / "server.log")

    def ready(self) -> None:
        """Wait until it accepts requests."""
        until(lambda: self._ready_file.exists() or not self.alive, 60)
        assert self.alive, f"the server did not start, see {self._log}"
        url = msgspec.json.decode(self._ready_file.read_bytes())["url"]
        self.port = int(url.rsplit(":", 1)[1])

    def kill_redis(self) -> None:
        """End the embedded Redis-compatible server; its keeper is to start another."""
        with contextlib.suppress(psutil.NoSuchProcess):
            assert self.process is not None
            for child in psutil.Process(self.process.pid).children(recursive=True):
                if "valkey" in child.name():
                    child.kill()

    def _arguments(self) -> list[str]:
        self._ready_file.unlink(missing_ok=True)
        return [*self._program, "--port", str(self.port), "--ready-file", str(self._ready_file)]


def worker(number: int, url: str, token: str, folder: Path, history: History) -> Part:
    """A worker that draws without a model."""
    environ = environment(
        folder, GPUGEN_TOKEN=token, GPUGEN_GENERATOR="fake", GPUGEN_FAKE_STEP_SECONDS="0.02"
    )
    command = [sys.executable, "-P", "-m", "gpugen_worker", "--url", url, "--name", f"worker {number}"]
    return Part(f"worker{number}", lambda: command, environ, history, folder / f"worker{number}.log")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """This process's environment with nothing else of gpugen's than `more` and a data directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}
    (folder / "gpugen.toml").touch()
    own = {"GPUGEN_DATA_DIR": str(folder / "data"), "GPUGEN_CONFIG": str(folder / "gpugen.toml")}
    return {**kept, **own, **more}
