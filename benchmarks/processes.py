"""Real server and worker processes to measure, ended with the `with` block."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunningServer:
    """A server process and a token of each scope."""

    url: str
    pid: int
    user_token: str
    worker_token: str


@contextmanager
def server(
    folder: Path, *, synchronous: str = "FULL", autoscaler: str = "none", **settings: str
) -> Iterator[RunningServer]:
    """A server on a free port with its data in `folder`, and other `settings`."""
    more = {f"GPUGEN_{name.upper()}": value for name, value in settings.items()}
    environ = _environ(folder, synchronous) | more
    ready = folder / "ready.json"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gpugen_server",
            "--port",
            "0",
            "--autoscaler",
            autoscaler,
            "--ready-file",
            str(ready),
        ],
        env=environ,
        stderr=(folder / "server.log").open("wb"),
    )
    try:
        found = json.loads(_wait_for(ready, process))
        yield RunningServer(
            url=found["url"],
            pid=found["pid"],
            user_token=_token("user", environ),
            worker_token=_token("worker", environ),
        )
    finally:
        _stop(process)


@contextmanager
def worker(running: RunningServer, folder: Path) -> Iterator[None]:
    """A worker process that serves the bundled model to `running`."""
    token_file = folder / "worker.token"
    token_file.write_text(running.worker_token)
    process = subprocess.Popen(
        [sys.executable, "-m", "gpugen_worker", "--url", running.url, "--token-file", str(token_file)],
        env=_environ(folder, "FULL"),
        stderr=(folder / "worker.log").open("wb"),
    )
    try:
        yield
    finally:
        _stop(process)


@contextmanager
def small_server(module: str, *arguments: str) -> Iterator[str]:
    """`python -m module ...`, which prints the port that it serves; the value is its URL."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def _environ(folder: Path, synchronous: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GPUGEN_")}
    return {**kept, "GPUGEN_DATA_DIR": str(folder), "GPUGEN_SYNCHRONOUS": synchronous}


def _wait_for(ready: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 30
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start; see server.log")
        time.sleep(0.02)
    return ready.read_text()


def _token(scope: str, environ: dict[str, str]) -> str:
    command = [
        str(Path(sys.executable).with_name("gpugen")),
        "token",
        "create",
        "--scope",
        scope,
        "--user",
        "bench",
    ]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
