"""Server processes for tests: started, watched, and never left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
from tests.fakes import until

SERVER = [sys.executable, "-P", "-m", "gpugen_server"]


def environment(data: Path, **more: str) -> dict[str, str]:
    """The environment of this process with a data directory of its own, and nothing else of gpugen's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}
    own = {"GPUGEN_DATA_DIR": str(data), "GPUGEN_CONFIG": str(data.parent / "gpugen.toml")}
    (data.parent / "gpugen.toml").touch()
    return {**kept, **own, **more}


class ServerProcess:
    """`python -m gpugen_server` with a ready file; `with` ends it and all that it has started."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        self.data = folder / "data"
        self.ready_file = folder / "ready.json"
        self._output = (folder / "output").open("wb+")
        self.process = subprocess.Popen(
            [*SERVER, "--port", "0", "--ready-file", str(self.ready_file), *arguments],
            env=environment(self.data, **environ),
            stdout=self._output,
            stderr=self._output,
        )

    def __enter__(self) -> ServerProcess:
        until(lambda: self.ready_file.exists() or self.process.poll() is not None, 90)
        assert self.process.poll() is None, self.output()
        self.url = msgspec.json.decode(self.ready_file.read_bytes())["url"]
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._output.close()

    def output(self) -> str:
        """What it has printed so far."""
        return Path(self._output.name).read_text()

    def offspring(self) -> list[psutil.Process]:
        """All processes that it has started, and those that they have."""
        return psutil.Process(self.process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of them that have not ended."""
    return [process for process in processes if process.is_running() and not _is_zombie(process)]


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
