"""When simulated people come."""

import itertools
from statistics import mean

import pytest

from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.request import TaskRequest
from gpugen_server.simulate.arrivals import DAY, Pattern, recorded, synthetic


def test_as_many_come_as_were_asked_for_in_order_and_by_day():
    found = list(synthetic(Pattern(days=60, per_day=500, session=8, seconds=10), 1))
    times = [at for at, _ in found]
    assert times == sorted(times)
    assert len(found) == pytest.approx(60 * 500, rel=0.05)
    assert mean(seconds for _, seconds in found) == pytest.approx(10, rel=0.05)
    hours = [int(at % DAY // 3600) for at in times]
    assert sum(hour in {15, 16, 17} for hour in hours) > 5 * sum(hour in {3, 4, 5} for hour in hours)


def test_the_same_seed_gives_the_same_and_another_one_other_tasks():
    first, again, other = ([*itertools.islice(synthetic(Pattern(), seed), 50)] for seed in (1, 1, 2))
    assert first == again != other


def test_sittings_come_in_bursts_unless_each_has_one_task():
    def near(session):
        times = [at for at, _ in synthetic(Pattern(days=100, per_day=50, session=session, pause=60), 4)]
        return mean(b - a < 300 for a, b in itertools.pairwise(times))

    assert near(10) > 0.8
    assert near(1) < 0.5


def test_recorded_tasks_are_those_that_succeeded_from_the_first_on(server):
    with pytest.raises(Misconfigured, match="has succeeded"):
        server.query(recorded)
    for created, seconds, state in (
        (100.0, 5.0, "failed"),
        (107.0, 3.0, "succeeded"),
        (103.0, 4.0, "succeeded"),
    ):
        task = server.tasks().submit(TaskRequest(prompt="a cat"))
        server.query(_set, task.id, created, seconds, state)
    assert server.query(recorded) == [(0.0, 4.0), (4.0, 3.0)]


def _set(store, id, created, seconds, state):
    store.change(
        "UPDATE tasks SET created_at = ?, started_at = 200.0, finished_at = ?, state = ? WHERE id = ?",
        created,
        200.0 + seconds,
        state,
        id,
    )
