"""The queue: the end of a task with the next claim over HTTP, the storage layer alone, and a long backlog."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from benchmarks import backlog
from benchmarks.figures import Figure
from benchmarks.processes import server, small_server
from benchmarks.raw import RawClient
from benchmarks.replay import Layer, Recording, Replay
from benchmarks.turns import Race, Step
from gpugen_client.claims import WorkerApi
from gpugen_protocol import paths, wire
from gpugen_protocol.worker import ClaimRequest, Completion, Leases, SessionRequest

MODES = ("NORMAL", "FULL")
TASKS = 40_000  # more than one run can finish
LONG = 1_000_000
OTHERS = {
    "trivial": "a trivial POST",
    "bare FULL": "bare SQLite",
    "bare NORMAL": "bare SQLite",
}
BARS = (
    ("gpugen", "NORMAL", "trivial", 0.45),
    ("minimal", "NORMAL", "trivial", None),
    ("gpugen", "FULL", "bare FULL", 0.40),
    ("minimal", "FULL", "bare FULL", None),
    ("gpugen", "NORMAL", "bare NORMAL", None),
    ("gpugen", "FULL", "trivial", None),
)
_WANTED = ClaimRequest(wait_seconds=0.0, models=("emoji",))
CLAIM = wire.encode(_WANTED)
NEXT = wire.encode(Completion(loading_seconds=0.0, drawing_seconds=0.1, claim=_WANTED))


def run() -> list[Figure]:
    """All of it; the long backlog takes a minute to make."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        folder = Path(name)
        return [*_over_http(folder), *_storage(folder), *_long_backlog(folder)]


def _over_http(folder: Path) -> list[Figure]:
    with ExitStack() as stack:
        trivial = RawClient(stack.enter_context(small_server("benchmarks.trivial")))
        steps: dict[str, Step] = {"trivial": lambda: trivial.post("/", NEXT)}
        for mode in MODES:
            for kind, serve in (("gpugen", _session), ("minimal", _minimal)):
                place = folder / f"{kind}-{mode}"
                place.mkdir()
                backlog.fill(place / "gpugen.db", TASKS)
                steps[f"{kind} {mode}"] = _worker(stack.enter_context(serve(place, mode)))
            steps[f"bare {mode}"] = bare_loop(folder / f"bare-{mode}.db", mode)
        race = Race(steps)
    return [
        Figure(
            f"{kind}: finish + next claim, HTTP, {mode}, to {OTHERS[other]}",
            race.ratio(f"{kind} {mode}", other),
            "x",
            bar,
            race.spread(f"{kind} {mode}", other),
            at_least=True,
        )
        for kind, mode, other, bar in BARS
    ]


@contextmanager
def _session(place: Path, mode: str) -> Iterator[RawClient]:
    """A worker's connection to the server."""
    with server(place, synchronous=mode) as running:
        api = WorkerApi(running.url, running.worker_token)
        session = api.open_session(SessionRequest(name="bench", models=("emoji",), version="0"))
        yield RawClient(running.url, session.token)


@contextmanager
def _minimal(place: Path, mode: str) -> Iterator[RawClient]:
    """The same to the least server that there can be."""
    with small_server("benchmarks.minimal", str(place / "gpugen.db"), mode) as url:
        yield RawClient(url)


def _worker(client: RawClient) -> Step:
    """A worker that says at once that it is done, over one connection."""
    decode = msgspec.json.Decoder(Leases).decode
    current = decode(client.post(paths.WORKER_CLAIMS(), CLAIM)).leases[0].id

    def step() -> None:
        nonlocal current
        answer = client.post(paths.LEASE_COMPLETE(lease=current), NEXT)
        current = decode(answer).leases[0].id

    return step


def bare_loop(path: Path, mode: str) -> Step:
    """Claim and finish of a small table, two commits: the least that a queue on SQLite can do."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        f"PRAGMA journal_mode = wal; PRAGMA synchronous = {mode};"
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT, priority INTEGER, payload TEXT, lease TEXT);"
        "CREATE INDEX jobs_queued ON jobs (priority, id) WHERE state = 'queued';"
        "BEGIN;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        " INSERT INTO jobs SELECT i, 'queued', 0, 'a slice of pizza', NULL FROM n;"
        "COMMIT;"
    )

    def step() -> None:
        ((job,),) = connection.execute(
            "UPDATE jobs SET state = 'running', lease = 'x' WHERE id = ("
            " SELECT id FROM jobs WHERE state = 'queued' ORDER BY priority, id LIMIT 1) RETURNING id"
        ).fetchall()
        connection.execute("UPDATE jobs SET state = 'done' WHERE id = ? AND lease = 'x'", (job,))

    return step


def _storage(folder: Path) -> list[Figure]:
    """The functions of the queue against their own statements, recorded and sent to sqlite3 without them."""
    original, begun = folder / "storage.db", folder / "begun.db"
    backlog.fill(original, TASKS)
    recorded = Recording(_copy(original, "recorded"), begun).take(TASKS * 3 // 4)
    layer, replay = Layer(_copy(original, "layer")), Replay(begun, recorded)
    race = Race({"layer": layer.step, "replay": replay.step}, 9, 0.08, time.thread_time)
    replay.check()
    return [
        Figure(
            "finish + next claim, storage layer against its own statements",
            race.ratio("layer", "replay"),
            "x",
            0.7,
            f"{race.spread('layer', 'replay')}, {len(recorded[0])} statements",
            at_least=True,
        )
    ]


def _long_backlog(folder: Path) -> list[Figure]:
    short, long = folder / "short.db", folder / "long.db"
    backlog.fill(short, TASKS)
    backlog.fill(long, LONG)
    steps = {"short": Layer(short).step, "long": Layer(long).step}
    race = Race(steps, seconds=0.3, clock=time.thread_time)
    return [
        Figure(
            f"claims behind {LONG:,} queued tasks against {TASKS:,}",
            race.ratio("long", "short"),
            "x",
            0.8,
            race.spread("long", "short"),
            at_least=True,
        )
    ]


def _copy(path: Path, name: str) -> Path:
    copied = path.with_name(f"{name}.db")
    shutil.copy(path, copied)
    return copied
