"""A long walk with everything that can go wrong, and what must hold at every moment of it.

Tasks come and go, zones run out, answers get lost, machines are taken away, and the server is killed at any
of its calls to cloud or database. Only the clock of the test passes.
"""

import asyncio
import random

import pytest
from tests.server.autoscale.gce.conftest import LABEL

ZONES = ("us-central1-a", "us-central1-b", "europe-west4-a")
MOST = 2
IDLE = 600.0


class Killed(Exception):
    """The server is killed here."""


class Life:
    """What happens around the autoscaler, by chance."""

    def __init__(self, world, seed):
        self.world, self.cloud, self.chance = world, world.cloud, random.Random(seed)
        self.tasks, self.workers, self.used, self.hung = [], {}, {}, set()
        self.kill_at = 0

    def server(self):
        """A new server, after the one before has ended somehow; it may be killed at one of its next calls."""
        scaler = self.world.start()
        self.kill_at = self.chance.choice((0, 0, self.chance.randint(1, 12)))
        cloud, ledger = self.world.provider._cloud, scaler._ledger
        for name in ("insert", "start", "delete", "stop", "machines", "operation"):
            setattr(cloud, name, self._mortal(getattr(cloud, name)))
        real = ledger.change

        async def change(function, *args, **named):
            self._count()
            answer = await real(function, *args, **named)
            self._count()
            return answer

        ledger.change = change

    def _mortal(self, real):
        def call(*args):
            self._count()
            answer = real(*args)
            self._count()
            return answer

        return call

    def _count(self):
        if self.kill_at:
            self.kill_at -= 1
            if not self.kill_at:
                raise Killed

    def look(self, seconds):
        """Time goes by; machines work, the autoscaler looks, and what must hold holds."""
        self.world.clock.now += seconds
        self.live()
        try:
            asyncio.run(self.world.scaler.reconcile())
        except Killed:
            self.server()
        self.check()

    def check(self):
        names = [vm.name for vm in self.world.running]
        assert len(names) <= MOST, names
        assert all(vm.labels for vm in self.cloud.vms.values())

    def live(self):
        """Every machine that has booted works, or powers itself off when it was idle for its time."""
        now = self.world.clock.now
        for vm in self.world.running:
            if vm.status != "RUNNING" or now - vm.up_at < 60 or vm.name in self.hung:
                continue
            if vm.name not in self.workers:
                self._boot(vm)
            elif self.world.work(self.workers[vm.name]):
                self.used[vm.name] = now
            elif now - self.used[vm.name] > IDLE:
                self.cloud.power_off(vm.name)

    def _boot(self, vm):
        try:
            self.workers[vm.name] = self.world.boot(vm)
        except AssertionError:  # its token does not hold any more: it powers off
            self.cloud.power_off(vm.name)
        else:
            self.used[vm.name] = self.world.clock.now

    def happen(self):
        """One thing."""
        vms = [vm.name for vm in self.world.running]
        match self.chance.randrange(10):
            case 0 | 1:
                self.tasks += [self.world.queue.submit() for _ in range(self.chance.randint(1, 3))]
            case 2:
                self.cloud.stock_out(self.chance.choice(ZONES))
            case 3:
                self.cloud.stock_outs.clear()
            case 4:
                call = self.chance.choice(("insert", "delete", "list", "get", "operation"))
                self.cloud.fail(call, cut=self.chance.choice(("before", "after")))
            case 5:
                call = self.chance.choice(("insert", "delete", "list", "operation"))
                status, reason = self.chance.choice((*3 * [(503, "backendError")], (403, "quotaExceeded")))
                self.cloud.fail(call, status=status, reason=reason, message="by chance")
            case 6 if vms:
                self.chance.choice((self.cloud.preempt, self.cloud.vanish))(self.chance.choice(vms))
            case 7:
                self.server()
            case 8:
                self.hung.update(vms)
            case _:
                self.cloud.seconds = self.chance.choice((0, 5, 40))

    def wait(self):
        """Time goes by in which nothing but the usual happens."""
        self.look(30 if self.world.running else 300)

    @property
    def waiting(self):
        """How many tasks are not done."""
        return self.world.queue.row("SELECT count(*) FROM tasks WHERE state IN ('queued', 'running')")[0]

    def calm_down(self):
        """Nothing goes wrong any more but that, once, all machines hang; the server is not killed."""
        self.cloud.faults.clear()
        self.cloud.stock_outs.clear()
        self.cloud.seconds = 20
        self.kill_at = 0
        for _ in range(200):
            if self.waiting < 2 * MOST:
                self.tasks += [self.world.queue.submit() for _ in range(MOST)]
            self.wait()
            if len(self.workers.keys() & {vm.name for vm in self.world.running}) == MOST:
                break
        self.hung.update(vm.name for vm in self.world.running)


@pytest.mark.parametrize("seed", [1, 2])
def test_never_too_many_machines_every_task_gets_done_and_in_the_end_none_is_left(world, seed):
    world.configure(max_workers=MOST)
    life = Life(world, seed)
    life.server()
    for _ in range(50):
        life.happen()
        life.look(life.chance.choice((1, 10, 60, 300)))
    life.calm_down()
    for _ in range(200):
        if not life.waiting:
            break
        life.wait()
    assert {world.queue.task(task)[0] for task in life.tasks} == {"succeeded"}
    for _ in range(int((IDLE + 300) / 30)):
        life.look(30)
    assert world.cloud.peak[LABEL] == MOST  # at every moment, not only when it was looked at
    assert [vm.name for vm in world.running] == []
    assert world.cloud.vms == {}
