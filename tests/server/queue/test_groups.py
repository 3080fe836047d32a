"""Tasks of one group, as one."""

import pytest

from gpugen_protocol.errors import NotFound
from gpugen_protocol.events import ProgressReport
from gpugen_server.queue import groups, report


def look(queue, group="g", user="ann"):
    return queue.call(groups.get, group, user, 0.0)


def test_a_group_counts_its_tasks_and_how_much_of_them_is_done(queue):
    for _ in range(4):
        queue.submit(group="g", steps=10, n=2)
    queue.submit(group="other")
    assert (look(queue).tasks, look(queue).fraction, look(queue).finished) == ({"queued": 4}, 0.0, False)
    lease = queue.claim()
    for index in range(2):
        queue.accept(lease.id, index, file=f"f{index}")
    queue.complete(lease.id)
    lease = queue.claim()
    queue.call(lambda store: store.change("UPDATE tasks SET lease_until = lease_until - 5"))  # a while later
    queue.call(report.report, lease.id, queue.worker, (ProgressReport(image=1, step=5, steps=10),), 30.0)
    found = look(queue)
    assert (found.tasks, found.total, found.images) == ({"queued": 2, "running": 1, "succeeded": 1}, 4, 2)
    assert found.fraction == pytest.approx((20 + 15) / 80)
    assert found.finished_at is None


def test_one_cancel_ends_what_waits_and_asks_what_runs_to_stop(queue):
    running = queue.submit_and_claim(group="g")
    waiting = [queue.submit(group="g") for _ in range(3)]
    other = queue.submit()
    queue.call(groups.withdraw, "g", "ann")
    assert {queue.state(task) for task in waiting} == {"canceled"}
    assert queue.get(running.task.id).phase == "canceling"
    assert queue.state(other) == "queued"
    queue.complete(running.id)
    assert (look(queue).finished, look(queue).fraction) == (True, 1.0)
    assert look(queue).finished_at is not None


def test_a_group_is_its_users_own(queue):
    queue.submit(group="g", user="ann")
    queue.submit(group="g", user="bob")
    assert look(queue).total == 1
    queue.call(groups.withdraw, "g", "bob")
    assert look(queue).tasks == {"queued": 1}
    assert look(queue, user=None).total == 2  # an admin sees all of that name


@pytest.mark.parametrize("call", [lambda q: look(q, "no"), lambda q: q.call(groups.withdraw, "no", "ann")])
def test_a_group_without_tasks_does_not_exist(queue, call):
    queue.submit(group="no", user="bob")
    with pytest.raises(NotFound, match="no group no"):
        call(queue)
