"""Workers as processes on the server's own machine."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from gpugen_protocol.task import TaskFailure
from gpugen_server import private_file
from gpugen_server.autoscale.machine import Machine, Sighting
from gpugen_server.autoscale.provider import Choice, Rhythm, StartRefused
from gpugen_server.guarded import Guarded
from gpugen_server.settings import Settings

NEEDED = ("gpugen_worker", "torch", "diffusers", "transformers")
MAX_LOG = 1_000_000  # bytes after which the log of the workers before is put aside
MAX_WORDS = 300  # characters of a worker's last words that are shown
TAIL = 4096  # bytes of the log that are looked through for last words
GRACE = 4.0  # seconds a worker has to give its task back when the server ends
WELL_LIVED = 60.0  # seconds after which a worker's end is no sign that the next one ends as well


class _Process(NamedTuple):
    guarded: Guarded
    watcher: asyncio.Task[None]


class LocalProvider:
    """Runs `gpugen worker` under a guard, so that no worker outlives this server.

    A worker is there as long as its server holds the autoscaler's duty, and no longer: so whoever holds it
    knows that workers of others are gone, or about to be.

    Args:
        url: where the workers find this server.
        environ: the environment they get.
        on_end: called when one has ended.
    """

    name = "local"
    place = "this machine"
    rhythm = Rhythm(least=0.1, short=0.5, usual=5.0, none=5.0)
    models: tuple[str, ...] = ()

    def __init__(
        self, settings: Settings, *, url: str, environ: Mapping[str, str], on_end: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._url = url
        self._environ = environ
        self._on_end = on_end
        self._processes: dict[str, _Process] = {}
        self._ended: dict[str, Sighting] = {}
        self._stopping: set[asyncio.Task[int]] = set()
        for left in settings.data.glob("gpugen-*.token"):  # by a server that was killed
            left.unlink(missing_ok=True)

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

    async def choose(self, now: float) -> Choice:
        """There is but one place."""
        return Choice(place="", text=self.place)

    async def start(self, machine: Machine, token: str) -> str:
        """Start one worker process; what it prints goes to logs/worker.log."""
        if machine.name in self._processes:
            return ""
        log = self._settings.logs / "worker.log"
        try:
            private_file.write(self._token_file(machine.name), token.encode())
            begin = _make_room(log)
            worker = await Guarded.start(
                self._command(machine.name), output=log, environ=self._worker_environ(), grace=GRACE
            )
        except OSError as error:
            raise StartRefused(f"No worker can be started on {self.place}: {error}.") from None
        watcher = asyncio.create_task(self._watch(machine.name, worker, log, begin))
        self._processes[machine.name] = _Process(worker, watcher)
        return ""

    async def stop(self, machine: Machine) -> None:
        """Ask it to end; it has a moment to give its task back."""
        process = self._processes.get(machine.name)
        if process is not None:
            stopping = asyncio.create_task(process.guarded.stop())
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    async def remove(self, name: str) -> None:
        """There is none that no row knows of, unless its row was lost."""
        await self.stop(Machine(id="", name=name))

    async def observe(self, machines: Sequence[Machine]) -> dict[str, Sighting]:
        """The processes of this server; what was started by another one is gone."""
        names = {machine.name for machine in machines}
        self._ended = {name: seen for name, seen in self._ended.items() if name in names}
        gone = Sighting(state="ended", text="The server that had started it has ended.")
        lost = {machine.name: gone for machine in machines if machine.asked_at is not None}
        there = dict.fromkeys(self._processes, Sighting(state="starting"))
        return {**lost, **self._ended, **there}

    async def close(self) -> None:
        """End the workers; each has a moment to give its task back."""
        processes = list(self._processes.values())
        await asyncio.gather(*(process.guarded.stop() for process in processes))
        await asyncio.gather(*(process.watcher for process in processes), return_exceptions=True)

    async def _watch(self, name: str, worker: Guarded, log: Path, begin: int) -> None:
        since = time.monotonic()
        code = await worker.wait()
        lived = time.monotonic() - since
        words = (await asyncio.to_thread(last_words, log, begin))[:MAX_WORDS]
        text = f"A worker on {self.place} ended with code {code}: {words}"
        # 0: it was idle for its time
        self._ended[name] = Sighting(state="ended", text=text, failed=code != 0 and lived < WELL_LIVED)
        del self._processes[name]
        self._token_file(name).unlink(missing_ok=True)
        self._on_end()

    def _token_file(self, name: str) -> Path:
        return self._settings.data / f"{name}.token"

    def _command(self, name: str) -> list[str]:
        worker = [sys.executable, "-P", "-m", "gpugen_worker", "--url", self._url]
        idle = ["--idle-exit", f"{self._settings.idle_exit:g}"]
        return [*worker, "--token-file", str(self._token_file(name)), *idle]

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
