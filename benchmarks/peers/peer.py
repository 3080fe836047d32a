"""One of the other queues: a producer and a worker in the peers' environment, over a Redis of their own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent
PYTHON = Path(os.environ.get("BENCH_PEERS", ".venv/peers")).absolute() / "bin" / "python"
COMMANDS = {
    "huey": ["-m", "huey.bin.huey_consumer", "huey_tasks.huey", "--workers", "1", "--no-periodic", "--quiet"],
    "celery": [
        "-m", "celery", "--app", "celery_tasks", "worker", "--pool", "solo", "--loglevel", "error",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ],
}  # fmt: skip


class Peer:
    """A running peer. Times are those of `time.perf_counter`, one clock for all processes of a machine."""

    def __init__(self, producer: subprocess.Popen[str], told: Path) -> None:
        self._producer = producer
        self._told = told
        self._seen = 0

    def run(self, count: int) -> float:
        """Seconds from the first submit to the last start of `count` tasks."""
        assert self._producer.stdin is not None and self._producer.stdout is not None
        self._producer.stdin.write(f"{count}\n")
        self._producer.stdin.flush()
        begun = float(self._producer.stdout.readline())
        self._seen += count
        return self._last() - begun

    def _last(self) -> float:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            lines = self._told.read_text().splitlines() if self._told.exists() else []
            if len(lines) >= self._seen:
                return float(lines[self._seen - 1])
            time.sleep(0.002)
        raise RuntimeError("the peer did not run its tasks")


@contextmanager
def peer(name: str, redis_url: str, folder: Path) -> Iterator[Peer]:
    """The peer `name`, ended with the block."""
    told = folder / f"{name}.times"
    environ = {**os.environ, "BENCH_REDIS": redis_url, "PYTHONPATH": str(FOLDER)}
    started = [
        subprocess.Popen(
            [PYTHON, *COMMANDS[name]],
            cwd=FOLDER, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ),
        subprocess.Popen(
            [PYTHON, "producer.py", f"{name}_tasks", str(told)],
            cwd=FOLDER, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ),
    ]  # fmt: skip
    try:
        found = Peer(started[1], told)  # type: ignore[arg-type]
        found.run(1)
        yield found
    finally:
        for process in started:
            process.kill()
            process.wait()
