import pytest

from gpugen_protocol.errors import NotFound
from gpugen_server.queue import cancel


def test_a_queued_task_is_canceled_at_once_and_never_claimed(queue):
    task = queue.submit()
    queue.call(cancel.cancel, task, "ann")
    assert queue.state(task) == "canceled"
    assert queue.states(task) == ["queued", "canceled"]
    assert queue.claim() is None


def test_a_running_task_is_asked_to_stop_once(queue):
    lease = queue.submit_and_claim()
    queue.call(cancel.cancel, lease.task.id, "ann")
    queue.call(cancel.cancel, lease.task.id, "ann")
    task = queue.get(lease.task.id)
    assert (task.state, task.phase) == ("running", "canceling")
    phases = [event["phase"] for event in queue.events(task.id) if event["type"] == "phase"]
    assert phases == ["queued", "canceling"]


def test_a_finished_task_stays_as_it_is(queue):
    lease = queue.submit_and_claim()
    queue.fail(lease.id)
    before = queue.events(lease.task.id)
    queue.call(cancel.cancel, lease.task.id, "ann")
    assert queue.events(lease.task.id) == before


def test_nobody_cancels_for_others_but_an_admin(queue):
    task = queue.submit(user="ann")
    with pytest.raises(NotFound):
        queue.call(cancel.cancel, task, "bob")
    queue.call(cancel.cancel, task, None)
    assert queue.state(task) == "canceled"
