"""How long until a waiting worker has a submitted task, and until a watcher sees a worker's event."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from queue import Queue

from benchmarks.figures import Figure, median, spread
from benchmarks.processes import RunningServer, server
from gpugen_client.claims import WorkerApi
from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_client.updates import Updates, Watch
from gpugen_protocol.events import LogEvent, LogReport, ProgressEvent, ProgressReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Failure, Lease, SessionRequest

ROUNDS = 60
REQUEST = TaskRequest(prompt="a slice of pizza", width=64, height=64, steps=1)


def run() -> list[Figure]:
    """Alternates between a server at NORMAL and one at FULL, so that both see the same machine."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        folders = {mode: Path(name) / mode.lower() for mode in ("NORMAL", "FULL")}
        for folder in folders.values():
            folder.mkdir()
        with (
            server(folders["NORMAL"], synchronous="NORMAL") as normal,
            server(folders["FULL"], synchronous="FULL") as full,
        ):
            return _measure({"NORMAL": normal, "FULL": full})


def _measure(servers: dict[str, RunningServer]) -> list[Figure]:
    probes = {mode: _Probe(running) for mode, running in servers.items()}
    for _ in range(ROUNDS):
        for probe in probes.values():
            probe.round()
    bars = {"NORMAL": 5.0, "FULL": 15.0}
    figures = [
        Figure(
            f"submit -> worker has the task, {mode}, p50",
            median(p.claims),
            "ms",
            bars[mode],
            spread(p.claims),
        )
        for mode, p in probes.items()
    ]
    for mode, p in probes.items():
        figures.append(
            Figure(f"live event -> websocket, {mode}, p50", median(p.live), "ms", 8.0, spread(p.live))
        )
        figures.append(
            Figure(
                f"numbered event -> websocket, {mode}, p50", median(p.numbered), "ms", 8.0, spread(p.numbered)
            )
        )
    for probe in probes.values():
        probe.close()
    return figures


class _Probe:
    """One server, one long-polling worker in a thread, one watcher."""

    def __init__(self, running: RunningServer) -> None:
        self.claims: list[float] = []
        self.live: list[float] = []
        self.numbered: list[float] = []
        connection = Connection(running.url, running.user_token)
        self._tasks = Tasks(connection)
        self._updates = Updates(connection)
        self._api = WorkerApi(running.url, running.worker_token)
        self._api.open_session(SessionRequest(name="bench", models=("emoji",), version="0"))

    def round(self) -> None:
        """One task: claimed by a worker that was already waiting, reported on, and failed."""
        got: Queue[tuple[float, Lease]] = Queue()
        waiting = threading.Thread(target=self._claim, args=(got,))
        waiting.start()
        time.sleep(0.03)  # lets the claim reach the server: the figure is about an idle worker
        start = time.perf_counter()
        task = self._tasks.submit(REQUEST)
        at, lease = got.get(timeout=10)
        waiting.join()
        self.claims.append((at - start) * 1000)
        self._follow(task.id, lease)

    def close(self) -> None:
        self._updates.close()

    def _claim(self, got: Queue[tuple[float, Lease]]) -> None:
        leases = self._api.claim(ClaimRequest(wait_seconds=10, models=("emoji",)))
        got.put((time.perf_counter(), leases[0]))

    def _follow(self, task: str, lease: Lease) -> None:
        watch = self._updates.watch(task)
        _until(watch, "snapshot")
        for step in range(1, 4):
            start = time.perf_counter()
            sender = threading.Thread(
                target=self._api.report, args=(lease.id, (ProgressReport(image=0, step=step, steps=9),))
            )
            sender.start()
            self.live.append((_until(watch, ProgressEvent) - start) * 1000)
            sender.join()
            start = time.perf_counter()
            sender = threading.Thread(target=self._api.report, args=(lease.id, (LogReport(message="line"),)))
            sender.start()
            self.numbered.append((_until(watch, LogEvent) - start) * 1000)
            sender.join()
        watch.close()
        self._api.fail(lease.id, Failure(code="error", message="measured"))


def _until(watch: Watch, kind: type | str) -> float:
    """When the first event of `kind` (a class, or the tag `snapshot`) arrived."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        event = watch.get(timeout=1)
        if event is None:
            continue
        if kind == type(event).__struct_config__.tag or (isinstance(kind, type) and isinstance(event, kind)):
            return time.perf_counter()
    raise RuntimeError(f"no {kind} event arrived")
