"""One event to a thousand watchers, against write_message(dict) for each of them; stuck and idle sockets."""

from __future__ import annotations

import json
import multiprocessing
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks import sockets
from benchmarks.figures import Figure, median, percentile
from benchmarks.latency import _Plain as Plain
from benchmarks.processes import RunningServer, server
from gpugen_client.claims import WorkerApi
from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol import paths, wire
from gpugen_protocol.events import PhaseReport, PreviewReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Lease, Reports, SessionRequest
from gpugen_server.queue import chatter

WATCHERS = 1000
BURST = 50  # events at once, when it is about how many can be delivered
ROUNDS = 7
PACED = 60  # events one by one, when it is about how soon they arrive
LOAD = 0.3  # of what can be delivered
CAT = TaskRequest(prompt="a cat", width=64, height=64, steps=1)
NO_LIMITS = {"lease_seconds": "600", "submits_per_minute": "0", "max_tasks_per_user": "0"}
FILLING = "x" * 40  # so that a message has about 200 bytes

Post = Callable[[int], None]


def run() -> list[Figure]:
    """Ours and the naive one, burst by burst in turn; then what idle and stuck sockets cost."""
    with (
        tempfile.TemporaryDirectory(prefix="gg-") as name,
        server(Path(name), synchronous="NORMAL", **NO_LIMITS) as running,
    ):
        figures = _fan_out(running)
        figures.append(_idle(running))
        figures.append(_stuck(running))
        return figures


def _fan_out(running: RunningServer) -> list[Figure]:
    task, post = _task(running)
    path = f"{paths.EVENTS()}?task={task}"
    with (
        _crowd(running.url, path, running.user_token) as ours,
        _naive() as (url, naive_post),
        _crowd(url, "/ws", "-") as theirs,
    ):
        rates: dict[str, list[float]] = {"ours": [], "naive": []}
        for _ in range(ROUNDS):
            time.sleep(BURST / chatter.REFILL)  # until the worker may say as much again
            rates["ours"].append(ours.rate(post))
            rates["naive"].append(theirs.rate(naive_post))
        time.sleep(PACED / chatter.REFILL)
        pause = WATCHERS / median(rates["ours"]) / LOAD
        delays = ours.delays(post, pause)
    ratios = [mine / other for mine, other in zip(rates["ours"], rates["naive"], strict=True)]
    return [
        Figure("deliveries/s to 1,000 watchers", median(rates["ours"]), "/s"),
        Figure("the same by write_message(dict)", median(rates["naive"]), "/s"),
        Figure("naive / ours", 1 / median(ratios), "x", 1 / 1.2, f"ours is {median(ratios):.2f} x naive"),
        Figure("arrival at 30 % load, p50", percentile(delays, 0.5) * 1000, "ms"),
        Figure("arrival at 30 % load, p99", percentile(delays, 0.99) * 1000, "ms", 120.0),
    ]


def _idle(running: RunningServer) -> Figure:
    """10,000 idle tasks, ten on each of 1,000 sockets."""
    tasks = Tasks(Connection(running.url, running.user_token))
    ids = [tasks.submit(CAT).id for _ in range(10 * WATCHERS)]
    process = psutil.Process(running.pid)
    before = process.memory_info().rss
    opened = []
    for number in range(WATCHERS):
        opened.append(_raw(running, f"{paths.EVENTS()}"))
        for k in range(10):
            command = {"subscribe": {"task": ids[10 * number + k]}}
            opened[-1].sendall(_masked(json.dumps(command).encode()))
    _settle(process)
    grown = (process.memory_info().rss - before) / 1e6
    for each in opened:
        each.close()
    return Figure("10,000 idle tasks on 1,000 sockets", grown, "MB", 150.0)


def _stuck(running: RunningServer) -> Figure:
    """200 sockets that never read, while previews are told; the same without them comes first."""
    process = psutil.Process(running.pid)
    _told_to(running, process, 0)  # the working memory that so many previews take is there from now on
    without = _told_to(running, process, 0)
    grown = _told_to(running, process, 200)
    note = f"the same previews with nobody: {without:.1f} MB"
    return Figure("200 sockets that do not read, server's growth", grown, "MB", 20.0, note)


def _told_to(running: RunningServer, process: psutil.Process, sockets_open: int) -> float:
    """By how many MB the server grows while previews of 20 KB are told to sockets that do not read.

    2,400 come forty at a time, of which only the last need be told, then 1,200 one by one. The system's
    buffers take more than a hundred a socket; that they were full is seen by the server's cutting it off.
    """
    api, lease = _worker(running)
    plain = Plain(running.url, api.token)  # type: ignore[attr-defined]
    events, watch = paths.LEASE_EVENTS(lease=lease.id), f"{paths.EVENTS()}?task={lease.task.id}"
    previews = [PreviewReport(image=0, step=step, data=f"{step:04d}" + "A" * 20_000) for step in range(40)]
    forty = wire.encode(Reports(events=tuple(previews)))
    single = [wire.encode(Reports(events=(preview,))) for preview in previews[:20]]
    _settle(process)
    before = process.memory_info().rss
    opened = [_raw(running, watch, small=True) for _ in range(sockets_open)]
    most = 0
    for body in [forty] * 60 + single * 60:
        plain.post(events, body)
        most = max(most, process.memory_info().rss - before)
    _wait_for_none(Tasks(Connection(running.url, running.user_token)))
    for each in opened:
        each.close()
    return most / 1e6


def _wait_for_none(tasks: Tasks) -> None:
    """Until the server has disconnected everybody."""
    deadline = time.monotonic() + 30.0
    while watchers := tasks.stats().watchers:
        assert time.monotonic() < deadline, f"{watchers} sockets were never full"
        time.sleep(0.1)


class Crowd:
    """A thousand clients in a process of their own."""

    def __init__(self, pipe: multiprocessing.connection.Connection) -> None:  # type: ignore[name-defined]
        self._pipe = pipe

    def rate(self, post: Post) -> float:
        """Deliveries a second of one burst."""
        began = time.perf_counter()
        post(BURST)
        return WATCHERS * BURST / (self._wait(BURST)[0] - began)

    def delays(self, post: Post, pause: float) -> list[float]:
        """How long each delivery took, of events with a `pause` between them; seconds."""
        for _ in range(PACED):
            began = time.perf_counter()
            post(1)
            time.sleep(max(0.0, pause - (time.perf_counter() - began)))
        return self._wait(PACED)[1]

    def _wait(self, events: int) -> tuple[float, list[float]]:
        self._pipe.send(WATCHERS * events)
        found: tuple[float, list[float]] = self._pipe.recv()
        return found


@contextmanager
def _crowd(url: str, path: str, token: str) -> Iterator[Crowd]:
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    process = spawn.Process(target=sockets.crowd, args=(url, path, token, WATCHERS, theirs), daemon=True)
    process.start()
    assert mine.recv() == WATCHERS
    time.sleep(1.0)  # snapshots go out
    try:
        yield Crowd(mine)
    finally:
        mine.send(0)
        process.join(10)


@contextmanager
def _naive() -> Iterator[tuple[str, Post]]:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.naive"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
    plain = Plain(url, "-")
    try:
        yield url, lambda count: _ignore(plain.post("/post", wire.encode({"events": _reports(count)})))
    finally:
        process.terminate()
        process.wait()


def _task(running: RunningServer) -> tuple[str, Post]:
    """A running task and how to post events about it."""
    api, lease = _worker(running)
    plain = Plain(running.url, api.token)
    path = paths.LEASE_EVENTS(lease=lease.id)

    def post(count: int) -> None:
        answer = plain.post(path, wire.encode(Reports(events=_reports(count))))
        assert b"lease_seconds" in answer, answer

    return lease.task.id, post


def _worker(running: RunningServer) -> tuple[WorkerApi, Lease]:
    Tasks(Connection(running.url, running.user_token)).submit(CAT)
    api = WorkerApi(running.url, running.worker_token)
    session = api.open_session(SessionRequest(name="bench", version="0"))
    api.token = session.token  # type: ignore[attr-defined]
    (lease,) = api.claim(ClaimRequest(wait_seconds=5))
    return api, lease


def _reports(count: int) -> tuple[PhaseReport, ...]:
    return tuple(PhaseReport(phase="drawing", text=sockets.stamp() + FILLING) for _ in range(count))


def _ignore(answer: bytes) -> None:
    assert answer == b"{}", answer


def _raw(running: RunningServer, path: str, *, small: bool = False) -> socket.socket:
    """A websocket of which nobody reads."""
    host, port = running.url.removeprefix("http://").split(":")
    made = socket.socket()
    if small:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect((host, int(port)))
    made.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Bearer {running.user_token}\r\n\r\n".encode()
    )
    made.recv(16)
    return made


def _masked(body: bytes) -> bytes:
    """A client's text frame; a mask of zeros leaves the body as it is."""
    assert len(body) < 126
    return bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body


def _settle(process: psutil.Process) -> None:
    """Wait until the process has nothing to do."""
    quiet = 0
    while quiet < 3:
        quiet = quiet + 1 if process.cpu_percent(0.3) < 10 else 0
