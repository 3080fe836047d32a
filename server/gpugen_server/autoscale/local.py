"""Workers as processes on the server's own machine."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale.provider import Ended
from gpugen_server.guarded import Guarded
from gpugen_server.settings import Settings

NEEDED = ("gpugen_worker", "torch", "diffusers", "transformers")
MAX_LOG = 1_000_000  # bytes after which the log of the workers before is put aside
TAIL = 4096  # bytes of the log that are looked through for last words
GRACE = 4.0  # seconds a worker has to give its task back when the server ends


class LocalProvider:
    """Starts `gpugen worker` under a guard, so that no worker outlives this server.

    Args:
        url: where the workers find this server.
        token_file: a 0600 file with their worker token.
        environ: the environment they get.
    """

    place = "this machine"

    def __init__(self, settings: Settings, *, url: str, token_file: Path, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._url = url
        self._token_file = token_file
        self._environ = environ
        self._workers: set[Guarded] = set()
        self._watchers: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many workers have been started and have not ended."""
        return len(self._workers)

    def obstacle(self) -> TaskFailure | None:
        """The libraries of the worker that are not installed."""
        if self._environ.get("GPUGEN_GENERATOR") == "fake":
            return None
        importlib.invalidate_caches()  # somebody may have installed them meanwhile
        missing = [name for name in NEEDED if find_spec(name) is None]
        if not missing:
            return None
        return TaskFailure(
            code="missing_extra",
            message=f"No worker can start here: {' and '.join(missing)} not installed.",
            hint="pip install 'gpugen[worker]'",
        )

    async def start(self, on_end: Callable[[Ended], None]) -> None:
        """Start one worker process; what it prints goes to logs/worker.log."""
        log = self._settings.logs / "worker.log"
        begin = _make_room(log)
        worker = await Guarded.start(self._command(), output=log, environ=self._worker_environ(), grace=GRACE)
        self._workers.add(worker)
        watcher = asyncio.create_task(self._watch(worker, log, begin, on_end))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def stop(self) -> None:
        """End the workers; each has a moment to give its task back."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        self._workers.clear()

    async def _watch(self, worker: Guarded, log: Path, begin: int, on_end: Callable[[Ended], None]) -> None:
        since = time.monotonic()
        code = await worker.wait()
        self._workers.discard(worker)
        words = await asyncio.to_thread(last_words, log, begin)
        on_end(Ended(code=code, last_words=words, lived=time.monotonic() - since))

    def _command(self) -> list[str]:
        worker = [sys.executable, "-P", "-m", "gpugen_worker", "--url", self._url]
        idle = ["--idle-exit", f"{self._settings.idle_exit:g}"]
        return [*worker, "--token-file", str(self._token_file), *idle]

    def _worker_environ(self) -> dict[str, str]:
        ours = {"GPUGEN_URL", "GPUGEN_TOKEN", "GPUGEN_TOKEN_FILE", "GPUGEN_IDLE_EXIT"}
        kept = {name: value for name, value in self._environ.items() if name not in ours}
        return {"GPUGEN_GRACE": f"{GRACE / 2:g}", **kept, "GPUGEN_DATA_DIR": self._settings.data_dir}


def last_words(log: Path, begin: int) -> str:
    """The last line that says something in `log`, from byte `begin` on."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(begin, size - TAIL))
        lines = file.read().decode("utf-8", "replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return "its log cannot be read"


def _make_room(log: Path) -> int:
    """Put a long log aside; gives the length of what is already in it."""
    size = log.stat().st_size if log.exists() else 0
    if size <= MAX_LOG:
        return size
    log.replace(log.with_name(f"{log.name}.1"))
    return 0
