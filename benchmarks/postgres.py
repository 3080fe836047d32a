"""The queue on PostgreSQL: eight connections that claim at once, and a long backlog."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psycopg
from tests.postgres import FAST, Postgres

from benchmarks import backlog
from benchmarks.figures import Figure, median
from benchmarks.queue import LONG, TASKS
from benchmarks.replay import Layer
from benchmarks.turns import Race, Step, rate
from gpugen_server.database.session import Session
from gpugen_server.database.store import PostgresStore
from gpugen_server.events import log
from gpugen_server.queue import claim, finish

CONNECTIONS = 8
ROUNDS, SECONDS = 9, 1.0
WITH_FLUSHES = ()  # PostgreSQL as it comes: an acknowledged commit is on the disk
_CLAIM = """
UPDATE jobs SET state = 'running', lease = 'x' WHERE id = (
  SELECT id FROM jobs WHERE state = 'queued' ORDER BY priority, id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""
_EVENT = b"x" * 120  # about as long as one that tells a state
_DONE = "UPDATE jobs SET state = 'done' WHERE id = %s AND lease = 'x'"


def run() -> list[Figure]:
    """Both; the long backlog takes minutes to make."""
    return [*_eight_connections(), *_long_backlog()]


def _eight_connections() -> list[Figure]:
    with _postgres(WITH_FLUSHES) as postgres, ExitStack() as stack:
        ours, statements, bare = (postgres.make(name) for name in ("gpugen", "statements", "bare"))
        backlog.fill_postgres(ours, 5 * TASKS)
        backlog.fill_postgres(statements, 5 * TASKS)
        _fill_bare(bare)
        crews = {
            "ours": stack.enter_context(_crew(layer, ours)),
            "statements": stack.enter_context(_crew(own_statements, statements)),
            "bare": stack.enter_context(_crew(bare_loop, bare)),
        }
        windows = [{name: crew(SECONDS) for name, crew in crews.items()} for _ in range(ROUNDS)]
    what = f"{CONNECTIONS} connections, against a bare SKIP LOCKED loop"
    return [
        _against_bare(f"finish + next claim, {what}", windows, "ours", 0.6),
        _against_bare(f"its own statements, without our code, {what}", windows, "statements", None),
    ]


def _against_bare(title: str, windows: list[dict[str, float]], name: str, bar: float | None) -> Figure:
    ratios = [window[name] / window["bare"] for window in windows]
    rates = " / ".join(f"{median([window[each] for window in windows]):,.0f}" for each in (name, "bare"))
    note = f"{min(ratios):.2f}..{max(ratios):.2f}, {rates} a second"
    return Figure(title, median(ratios), "x", bar, note, at_least=True)


def _long_backlog() -> list[Figure]:
    with _postgres(FAST) as postgres, ExitStack() as stack:
        steps: dict[str, Step] = {}
        for name, count in (("short", TASKS), ("long", LONG)):
            url = postgres.make(name)
            backlog.fill_postgres(url, count)
            steps[name] = stack.enter_context(layer(url))
        race = Race(steps, seconds=0.3)
    return [
        Figure(
            f"claims behind {LONG:,} queued tasks against {TASKS:,}, PostgreSQL",
            race.ratio("long", "short"),
            "x",
            0.8,
            race.spread("long", "short"),
            at_least=True,
        )
    ]


@contextmanager
def layer(url: str) -> Iterator[Step]:
    """A worker that finishes its task and claims the next, by the functions of the queue."""
    worker = Layer(url)
    yield worker.step
    worker.close()


@contextmanager
def own_statements(url: str) -> Iterator[Step]:
    """The statements of `layer`, of one transaction a step, with nothing decided or encoded between them."""
    with psycopg.connect(url, autocommit=True) as connection:
        session = Session(connection)
        terms = ("0" * 20, 1e12, "nobody", 1.0)  # of a lease: its secret, its end, its holder, its begin

        def next_one() -> tuple[Any, ...]:
            session.execute(claim._LOOK, (1.0, "nobody", "handed to a worker", "nobody")).fetchall()
            head = claim._CLAIM_HEAD.format(fits=" AND model IN (?)", lock=PostgresStore.lock_free)
            (taken,) = session.execute(head, (*terms, "emoji")).fetchall()
            return taken

        session.begin()
        held = [next_one()]
        session.commit()

        def step() -> None:
            seq, num, task, *_, lease = held[0]
            end = ("succeeded", "done", None, 1.0, 0.0, 0.1, "complete", task, lease, "nobody")
            session.begin()
            session.execute(finish._END, end).fetchall()
            held[0] = next_one()
            begun = (held[0][1], held[0][0], _EVENT)
            session.commit([(f"{log._WRITE} (?, ?, ?), (?, ?, ?)", (num, seq + 1, _EVENT, *begun))])

        yield step


@contextmanager
def bare_loop(url: str) -> Iterator[Step]:
    """Claim and finish of a small table, two commits."""
    with psycopg.connect(url, autocommit=True) as connection:

        def step() -> None:
            (job,) = connection.execute(_CLAIM).fetchone()
            connection.execute(_DONE, (job,))

        yield step


@contextmanager
def _crew(work: Callable[[str], object], url: str) -> Iterator[Callable[[float], float]]:
    """A process for each connection; `crew(seconds)` lets them work and gives their steps a second."""
    spawn = multiprocessing.get_context("spawn")
    pipes: list[Pipe] = []
    processes = []
    for _ in range(CONNECTIONS):
        ours, theirs = spawn.Pipe()
        processes.append(spawn.Process(target=_work, args=(work, url, theirs), daemon=True))
        processes[-1].start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    yield partial(_all_at_once, pipes)
    for process in processes:
        process.kill()
        process.join()


def _all_at_once(pipes: Sequence[Pipe], seconds: float) -> float:
    for pipe in pipes:
        pipe.send(seconds)
    return sum(pipe.recv() for pipe in pipes)


def _work(work: Callable[[str], object], url: str, pipe: Pipe) -> None:
    with work(url) as step:  # type: ignore[attr-defined]
        step()
        pipe.send("ready")
        while True:
            pipe.send(rate(step, pipe.recv()))


@contextmanager
def _postgres(settings: Sequence[str]) -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="gg-") as folder:
        server = Postgres(Path(folder), (*settings, "autovacuum=off", "shared_buffers=512MB"))
        try:
            yield server
        finally:
            server.stop()


def _fill_bare(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE jobs"
            " (id BIGINT PRIMARY KEY, state TEXT, priority INTEGER, payload TEXT, lease TEXT)"
        )
        connection.execute("CREATE INDEX jobs_queued ON jobs (priority, id) WHERE state = 'queued'")
        connection.execute(
            "INSERT INTO jobs SELECT number, 'queued', 0, 'a slice of pizza', NULL"
            " FROM generate_series(1, 300000) AS number"
        )
        connection.execute("VACUUM ANALYZE jobs")
