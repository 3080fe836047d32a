"""How long until a waiting worker has a submitted task, and until a watcher sees a worker's event."""

from __future__ import annotations

import http.client
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figures import Figure, median, spread
from benchmarks.processes import RunningServer, server
from gpugen_client.claims import WorkerApi
from gpugen_client.connection import Connection
from gpugen_client.updates import Updates, Watch
from gpugen_protocol import paths, wire
from gpugen_protocol.events import (
    Event,
    LogEvent,
    LogReport,
    ProgressEvent,
    ProgressReport,
    Report,
    SnapshotEvent,
)
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import Task
from gpugen_protocol.worker import ClaimRequest, Failure, Leases, SessionRequest

ROUNDS = 60
REQUEST = TaskRequest(prompt="a slice of pizza", width=64, height=64, steps=1)
REPORTS: dict[str, Report] = {
    "ProgressEvent": ProgressReport(image=0, step=1, steps=9),
    "LogEvent": LogReport(message="line"),
}


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
    """One server, one long-polling worker in a process of its own, one watcher."""

    def __init__(self, running: RunningServer) -> None:
        self.claims: list[float] = []
        self.live: list[float] = []
        self.numbered: list[float] = []
        connection = Connection(running.url, running.user_token)
        self._plain = _Plain(running.url, running.user_token)
        self._updates = Updates(connection)
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._worker = spawn.Process(
            target=_work, args=(running.url, running.worker_token, theirs), daemon=True
        )
        self._worker.start()
        self._pipe.recv()  # its session is open

    def round(self) -> None:
        """One task: claimed by a worker that was already waiting, reported on, and failed."""
        self._pipe.send("claim")
        time.sleep(0.03)  # lets the claim reach the server: the figure is about an idle worker
        start = time.perf_counter()  # the same clock in all processes of a machine
        task = wire.decode(self._plain.post(paths.TASKS(), wire.encode(REQUEST)), Task)
        self.claims.append((self._pipe.recv() - start) * 1000)
        self._follow(task.id)

    def close(self) -> None:
        """End the worker."""
        self._pipe.send("leave")
        self._worker.join()
        self._updates.close()

    def _follow(self, task: str) -> None:
        watch = self._updates.watch(task)
        _until(watch, SnapshotEvent)
        for _ in range(3):
            self.live.append(self._told(watch, ProgressEvent))
            self.numbered.append(self._told(watch, LogEvent))
        watch.close()
        self._pipe.send("fail")
        self._pipe.recv()

    def _told(self, watch: Watch, kind: type[Event]) -> float:
        """Milliseconds from the worker's post to the watcher."""
        self._pipe.send(kind.__name__)
        seen = _until(watch, kind)
        return (seen - self._pipe.recv()) * 1000


class _Plain:
    """One kept connection of the standard library: the server is measured, not a client's comfort."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer."""
        self._connection.request("POST", path, body, self._headers)
        return self._connection.getresponse().read()


def _work(url: str, token: str, pipe: Pipe) -> None:
    """The worker: does what the pipe says, and tells when."""
    api = WorkerApi(url, token)
    session = api.open_session(SessionRequest(name="bench", models=("emoji",), version="0"))
    plain = _Plain(url, session.token)
    claim = wire.encode(ClaimRequest(wait_seconds=10, models=("emoji",)))
    pipe.send("ready")
    lease = ""
    while (order := pipe.recv()) != "leave":
        start = time.perf_counter()
        if order == "claim":
            answer = plain.post(paths.WORKER_CLAIMS(), claim)
            start = time.perf_counter()
            lease = wire.decode(answer, Leases).leases[0].id
        elif order == "fail":
            api.fail(lease, Failure(code="not_supported", message="measured"))
        else:
            api.report(lease, (REPORTS[order],))
        pipe.send(start)


def _until(watch: Watch, kind: type[Event]) -> float:
    """When the next event of `kind` arrived."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if isinstance(watch.get(timeout=1), kind):
            return time.perf_counter()
    raise RuntimeError(f"no {kind.__name__} arrived")
