"""One look of the autoscaler at 10,000 tasks that wait and 1,000 machines with workers."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, median, spread
from gpugen_protocol.models import parse_registry
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import TaskFailure
from gpugen_protocol.worker import SessionRequest
from gpugen_server.autoscale import machines, plan
from gpugen_server.autoscale.machine import Machine, Sighting
from gpugen_server.autoscale.plan import Rules, Scene
from gpugen_server.autoscale.provider import WORKER_USER, Choice, Rhythm
from gpugen_server.autoscale.scaler import Autoscaler
from gpugen_server.database import Database, Store
from gpugen_server.queue import workers
from gpugen_server.queue.claim import Claimer, claim
from gpugen_server.queue.submit import Submission, submit

TASKS, MACHINES, BUSY = 10_000, 1_000, 500
LOOKS = 60


class Cloud:
    """Shows every machine at once: what is measured is what the server does, not how a cloud answers."""

    name, place = "benchmark", "nowhere"
    rhythm = Rhythm(least=0.0, short=1.0, usual=1.0, none=1.0)
    models: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.shown: dict[str, Sighting] = {}

    def obstacle(self) -> TaskFailure | None:
        return None

    async def choose(self, now: float) -> Choice:
        return Choice(place="", text=self.place)

    async def start(self, machine: Machine, token: str) -> str:
        return ""

    async def stop(self, machine: Machine) -> None:
        return None

    async def remove(self, name: str) -> None:
        return None

    async def observe(self, machines: Sequence[Machine]) -> dict[str, Sighting]:
        return self.shown

    async def close(self) -> None:
        return None


def run() -> list[Figure]:
    """In milliseconds, on SQLite; looks that tell all tasks what they wait for are counted apart."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        database = Database(Path(name) / "gpugen.db", "NORMAL")
        database.migrate()
        database.call(_fill)
        cloud = Cloud()
        scaler = Autoscaler(database, cloud, Rules(max_workers=MACHINES), live_seconds=3600)
        scene = _scene(database)
        told, looks = asyncio.run(_look(scaler, database, cloud))
        database.disconnect()
    rules = Rules(max_workers=MACHINES)
    policy = [_timed(lambda: plan.steps(rules, scene)) for _ in range(LOOKS)]
    return [
        Figure("a look at 10,000 tasks and 1,000 machines, median", median(looks), "ms", 20.0, spread(looks)),
        Figure("of it the policy alone", median(policy), "ms", None, spread(policy)),
        Figure(
            "a look that tells waiting tasks of a new machine, median", median(told), "ms", None, spread(told)
        ),
    ]


async def _look(scaler: Autoscaler, database: Database, cloud: Cloud) -> tuple[list[float], list[float]]:
    """Looks while no worker has come yet, and looks when all have."""
    present = await database.run(machines.present, cloud.name)
    cloud.shown = {machine.name: Sighting(state="running") for machine in present}
    at_work = await database.run(lambda store: store.rows("SELECT worker, id FROM machines"))
    await database.run(lambda store: store.change("UPDATE machines SET worker = NULL"))
    await database.run(lambda store: store.change("UPDATE workers SET seen_at = 0"))
    told = [await _one(scaler) for _ in range(LOOKS)]
    await database.run(lambda store: store.change("UPDATE workers SET seen_at = ?", store.now))
    for worker, id in at_work:
        await database.run(
            lambda store, worker=worker, id=id: store.change(
                "UPDATE machines SET worker = ? WHERE id = ?", worker, id
            )
        )
    for _ in range(5):
        await scaler.reconcile()
    looks = [await _one(scaler) for _ in range(LOOKS)]
    await scaler.stop()
    return told, looks


async def _one(scaler: Autoscaler) -> float:
    begun = time.perf_counter()
    await scaler.reconcile()
    return (time.perf_counter() - begun) * 1000


def _scene(database: Database) -> Scene:
    present = database.call(machines.present, Cloud.name)
    heard, busy, aside = database.call(machines.with_workers, Cloud.name, time.time())
    shown = {machine.name: Sighting(state="running") for machine in present}
    return Scene(
        now=time.time(),
        machines=present,
        sightings=shown,
        heard=heard,
        busy=busy,
        aside=aside,
        wanted=MACHINES,
    )


def _timed(step: Any) -> float:
    begun = time.perf_counter()
    step()
    return (time.perf_counter() - begun) * 1000


def _fill(store: Store) -> None:
    registry = parse_registry({})
    for number in range(TASKS + BUSY):
        asked = TaskRequest(prompt=f"cat {number}")
        resolved = registry.resolve(asked, seed=number)
        user = f"user-{number % 100}"
        submit(store, Submission(user=user, asked=asked, resolved=resolved, max_attempts=3), 0.0)
    for number in range(MACHINES):
        machine = machines.intend(store, Cloud.name, Choice(place="", text="nowhere", hourly=0.7))
        worker = workers.register(store, SessionRequest(name=machine.name, version="0"), WORKER_USER)
        store.change(
            "UPDATE machines SET asked_at = ?, up_at = ?, busy_at = ?, worker = ? WHERE id = ?",
            *(store.now, store.now, store.now, worker, machine.id),
        )
        if number < BUSY:
            claim(store, Claimer(worker=worker, models=(), count=1, lease_seconds=3600))
    store.outbox.clear()
