"""Tests of what machines have cost."""

import pytest

from gpugen_server.autoscale import cost, machines
from gpugen_server.autoscale.provider import Choice

MIDNIGHT = 20_000 * 86400.0
HOUR = 3600.0


@pytest.fixture
def ledger(queue):
    """`ledger(hourly, up, ended)`: a machine with these times, in hours since midnight; it is two o'clock."""
    queue.database.engine.now = lambda: MIDNIGHT + 2 * HOUR

    def add(hourly, up, ended=None, worker=None):
        def write(store):
            machine = machines.intend(store, "gce", Choice(place="", text="", hourly=hourly))
            times = [None if each is None else MIDNIGHT + each * HOUR for each in (up, ended)]
            store.change(
                "UPDATE machines SET up_at = ?, ended_at = ?, worker = ? WHERE id = ?",
                *(*times, worker, machine.id),
            )

        queue.database.call(write)

    return add


def _today(queue):
    return queue.database.call(cost.today)


def test_only_what_ran_today_counts(queue, ledger):
    ledger(1.0, up=-3, ended=-1)
    assert _today(queue) == 0
    ledger(1.0, up=-3, ended=0.5)
    assert _today(queue) == pytest.approx(0.5)
    ledger(4.0, up=1)
    assert _today(queue) == pytest.approx(4.5)
    ledger(4.0, up=None)  # asked for, and not there yet
    assert _today(queue) == pytest.approx(4.5)


def test_a_machine_that_nobody_looks_after_any_more_is_not_counted_for_ever(queue, ledger):
    ledger(1.0, up=-9)  # made now, by its row
    queue.database.engine.now = lambda: MIDNIGHT + 9 * HOUR
    for looked_after, ended in (("gce", None), ("local", MIDNIGHT + 8 * HOUR)):
        queue.database.call(machines.write_off, looked_after, 6 * HOUR)
        assert queue.row("SELECT ended_at FROM machines") == (ended,)
    assert _today(queue) == pytest.approx(8.0)


def test_a_task_costs_its_share_of_the_day(queue, ledger):
    assert queue.database.call(cost.summary, None).per_task is None
    ledger(3.0, up=1, worker="paid")
    for worker in ("paid", "paid", "at home"):
        queue.database.call(
            lambda store, task, worker: store.change(
                "UPDATE tasks SET state = 'succeeded', finished_at = ?, worker = ? WHERE id = ?",
                store.now,
                worker,
                task,
            ),
            queue.submit(),
            worker,
        )
    found = queue.database.call(cost.summary, 5.0)
    assert (found.today, found.per_task, found.limit_per_day) == (3.0, 1.5, 5.0)
