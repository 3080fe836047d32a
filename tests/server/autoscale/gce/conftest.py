"""A server's autoscaler on a fake cloud, with a clock that a test turns."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.compute import PROJECT, TEMPLATE, FakeCompute

from gpugen_protocol import wire
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.worker import SessionRequest
from gpugen_server.autoscale.gce import setup
from gpugen_server.autoscale.plan import Rules
from gpugen_server.autoscale.scaler import Autoscaler
from gpugen_server.queue import finish, workers
from gpugen_server.queue.claim import Claimer, claim
from gpugen_server.queue.finish import Ending
from gpugen_server.queue.lease import hold
from gpugen_server.settings import Settings
from gpugen_server.tokens import keeper
from gpugen_server.web.claims import _register

URL = "https://gpugen.example.org"
LABEL = "gpugen-example-org"
ZONES = "us-central1-a,us-central1-b,europe-west4-a"


class Clock:
    """Seconds since the epoch; noon, so that no test runs into midnight by accident."""

    def __init__(self):
        self.now = 1_000_000 * 86400.0 + 43_200

    def __call__(self):
        return self.now


class World:
    """Queue, cloud and autoscaler under one clock."""

    def __init__(self, queue, cloud, clock, tmp_path):
        self.queue, self.cloud, self.clock = queue, cloud, clock
        self.settings = Settings(
            autoscaler="gce",
            data_dir=str(tmp_path),
            public_url=URL,
            gce_project=PROJECT,
            gce_zones=ZONES,
            gce_template=TEMPLATE,
            gce_machines="g2-standard-4",
            gce_api_endpoint=cloud.url,
            idle_exit=600.0,
        )
        self.provider = self.scaler = None
        self.max_cost = 0.0
        queue.database.engine.now = clock

    def configure(self, **settings):
        """Other settings than the usual ones; from the next start of a server on."""
        self.settings = msgspec.structs.replace(self.settings, **settings)

    def start(self):
        """A server starts; gives its autoscaler."""
        self.end()
        rules = Rules(
            max_workers=self.settings.max_workers,
            idle=self.settings.idle_exit,
            boot=self.settings.gce_boot,
            pause=60.0,
            longest_pause=3600.0,
        )
        self.provider = setup.make(self.settings, self.clock)
        self.scaler = Autoscaler(
            self.queue.database, self.provider, rules, live_seconds=30, max_cost=self.max_cost
        )
        self.queue.database.call(lambda store: store.change("DELETE FROM duties"))
        return self.scaler

    def end(self):
        if self.provider is not None:
            asyncio.run(self.provider.close())

    def tick(self, seconds=0.0, times=1):
        """Time goes by, and the autoscaler looks."""
        for _ in range(times):
            self.clock.now += seconds
            asyncio.run((self.scaler or self.start()).reconcile())
        return self.running

    @property
    def running(self):
        """The machines of this server that cost money."""
        return self.cloud.running(LABEL)

    def boot(self, vm, *models):
        """The worker of a machine introduces itself with the token it was given; gives its id."""

        def register(store):
            opener = keeper.check(store, vm.metadata["gpugen-token"])
            assert opener is not None, "its token does not hold"
            return _register(store, SessionRequest(name=vm.name, models=models, version="0"), opener)[0]

        return self.queue.database.call(register)

    def work(self, worker, *loaded):
        """A worker claims a task and is done with it; gives its model, or None if there was no task."""
        claimer = Claimer(worker=worker, models=(), count=1, lease_seconds=30, loaded=loaded)
        leases = self.queue.database.call(claim, claimer)
        for lease in leases:
            self.finish(lease.id, worker)
        return wire.decode(leases[0].task.request, ResolvedRequest).model if leases else None

    def finish(self, lease, worker):
        """A worker is done with what it holds."""

        def end(store):
            finish.end(store, hold(store, lease, worker), Ending("succeeded", "complete", "done"))

        self.queue.database.call(end)

    def alive(self, worker):
        """A worker asks for work and gets none."""
        self.queue.database.call(workers.touch, worker)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cloud(clock):
    with FakeCompute(clock=clock) as made:
        yield made


@pytest.fixture
def world(queue, cloud, clock, tmp_path):
    made = World(queue, cloud, clock, tmp_path)
    yield made
    made.end()
    asyncio.run(queue.database.close())
