"""Simulated queues and machines: by hand, against a formula, against the policy that sees everything."""

import math
import random
from dataclasses import dataclass, field

import pytest

from gpugen_server.autoscale.machine import Sighting
from gpugen_server.autoscale.plan import Rules, Scene, steps
from gpugen_server.simulate import world
from gpugen_server.simulate.arrivals import Pattern, synthetic
from gpugen_server.simulate.world import LEAST_BILLED, POWER_OFF, Terms, World

EXACT = 0.01  # of percentiles


@pytest.fixture
def steady_boots(monkeypatch):
    """Every machine takes equally long to boot."""
    monkeypatch.setattr(world, "_UNEVEN", 0.0)


def play(arrivals, boot=100.0, **rules):
    return World(Terms(rules=Rules(**rules), boot=boot)).run(arrivals)


@pytest.mark.usefixtures("steady_boots")
def test_one_worker_comes_serves_waits_and_goes():
    found = play([(0.0, 10.0), (5.0, 10.0), (300.0, 20.0), (2000.0, 5.0)], idle=600.0)
    # the first boots for 100 s, the second waits for it until 110, the third finds it idle; at 920 it leaves
    waits = found.waits
    assert waits.count == 4
    assert waits.mean == pytest.approx((100 + 105 + 0 + 100) / 4)
    assert waits.percentile(0.25) == 0.0
    assert waits.percentile(0.5) == pytest.approx(100, rel=EXACT)
    assert waits.most == pytest.approx(105)
    assert found.starts == 2
    assert found.most == 1
    assert found.drawn == 45
    assert found.billed == pytest.approx((920 + POWER_OFF) + (100 + 5 + 600 + POWER_OFF))
    assert found.ended_at == pytest.approx(2000 + 705 + POWER_OFF)


@pytest.mark.usefixtures("steady_boots")
def test_nothing_is_billed_for_less_than_the_least():
    assert play([(0.0, 1.0)], boot=0.0, idle=1.0).billed == LEAST_BILLED


def test_without_tasks_nothing_happens():
    found = play([])
    assert (found.waits.count, found.starts, found.billed) == (0, 0, 0.0)


def test_waiting_at_one_worker_that_stays_is_that_of_the_formula():
    """Pollaczek and Khinchine: mean wait = rate * E[S^2] / (2 (1 - load)), for Poisson arrivals."""
    dice, at, arrivals = random.Random(5), 0.0, []
    for _ in range(30_000):
        at += dice.expovariate(0.07)
        arrivals.append((at, dice.choice([2.0, 18.0])))
    found = play(arrivals, boot=0.0, idle=1e9)
    expected = 0.07 * (2.0**2 + 18.0**2) / 2 / (2 * (1 - 0.7))
    assert found.starts == 1
    assert found.waits.mean == pytest.approx(expected, rel=0.1)


@pytest.mark.usefixtures("steady_boots")
def test_a_short_task_behind_a_long_one_gets_a_machine_of_its_own():
    found = play([(0.0, 5000.0), (200.0, 1.0)], max_workers=2)
    assert found.starts == 2
    assert found.waits.most == pytest.approx(100)


def test_more_workers_shorten_the_wait_and_there_are_never_more_than_the_limit():
    pattern = Pattern(days=2, per_day=4000, session=20, pause=5, seconds=30)
    few, many = (play(synthetic(pattern, 3), max_workers=limit) for limit in (2, 8))
    assert few.most == 2
    assert 2 < many.most <= 8
    assert many.waits.mean < few.waits.mean
    assert many.waits.count == few.waits.count
    assert many.billed >= many.drawn == pytest.approx(few.drawn)


@dataclass
class Watched(World):
    """Compares each time what the policy was shown with all there is to see."""

    terms: Terms
    compared: int = 0
    boxes: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__(self.terms)

    def _begin(self, now, box, arrival):
        if box not in self.boxes:
            self.boxes.append(box)
        super()._begin(now, box, arrival)

    def _let_go(self, now, wanted):
        self.boxes += [box for box in (*self._booting, *self._idle) if box not in self.boxes]
        machines = [box.as_machine(None if box in self._booting else box.id) for box in self.boxes]
        assert len(machines) == self._there
        everything = Scene(
            now=now,
            since=now,
            machines=machines,
            sightings={each.name: Sighting(state="running") for each in machines},
            busy={box.id for box in self.boxes if box not in self._idle and box not in self._booting},
            wanted=wanted,
        )
        going = {step.name for step in steps(self._rules, everything) if step.kind == "leave"}
        before = {box.id for box in self._idle}
        super()._let_go(now, wanted)
        assert before - {box.id for box in self._idle} == going
        self.compared += bool(going)

    def _leave(self, now, box):
        self.boxes.remove(box)
        super()._leave(now, box)


@pytest.mark.parametrize(("idle", "boot"), [(300, 120), (10, 400)])  # none and some boot when others must go
def test_the_policy_would_decide_the_same_had_it_been_shown_every_machine(idle, boot):
    rules = Rules(max_workers=12, idle=idle, backlog=60)
    watched = Watched(Terms(rules=rules, boot=boot))
    pattern = Pattern(days=1, per_day=6000, session=30, pause=10, seconds=60)
    found = watched.run(synthetic(pattern, 2))
    assert watched.compared > 10
    assert found.most == 12


def test_ten_thousand_workers_are_no_matter():
    """Nor are many tasks: `python -m benchmarks simulate` has a million of them, and ten."""
    pattern = Pattern(days=1, per_day=100_000, session=10, pause=60, seconds=8000)
    found = play(synthetic(pattern, 1), max_workers=10_000)
    assert found.waits.count == pytest.approx(100_000, rel=0.05)
    assert found.most == 10_000
    assert math.isfinite(found.ended_at)
