import pytest

from gpugen_protocol.errors import LeaseLost
from gpugen_protocol.events import PhaseReport
from gpugen_server.queue import report


def test_tasks_are_claimed_in_the_order_of_arrival(queue):
    submitted = [queue.submit() for _ in range(5)]
    assert [queue.claim(queue.new_worker()).task.id for _ in range(5)] == submitted
    assert queue.claim(queue.new_worker()) is None


def test_a_higher_priority_goes_first_whatever_its_age(queue):
    low, normal, high = (queue.submit(priority=priority) for priority in (-1, 0, 5))
    assert [queue.claim(queue.new_worker()).task.id for _ in range(3)] == [high, normal, low]


def test_a_claimed_task_is_running_under_its_first_attempt(queue):
    lease = queue.submit_and_claim()
    assert lease.task.attempt == 1
    task = queue.get(lease.task.id)
    assert (task.state, task.attempt, task.worker) == ("running", 1, queue.worker)
    assert task.timings.queued is not None
    assert queue.states(task.id) == ["queued", "running"]


def test_a_worker_gets_only_models_that_it_has(queue):
    queue.submit(model="emoji")
    wanted = queue.submit(model="sdxl")
    assert queue.claim(models=("sdxl",)).task.id == wanted
    assert queue.claim(queue.new_worker(), models=("sdxl",)) is None


def test_the_models_of_the_session_count_when_the_claim_names_none(queue):
    queue.submit(model="emoji")
    assert queue.claim(queue.new_worker("sdxl")) is None
    assert queue.claim(queue.new_worker("emoji")) is not None


def test_an_expired_lease_is_claimed_again_with_the_next_attempt_number(queue):
    first = queue.submit_and_claim()
    queue.expire(first.id)
    second = queue.claim()
    assert second.task.id == first.task.id
    assert second.task.attempt == 2
    assert queue.states(first.task.id) == ["queued", "running", "queued", "running"]
    with pytest.raises(LeaseLost):
        queue.hold(first.id)


def test_no_task_is_handed_out_twice(queue):
    for _ in range(20):
        queue.submit()
    claimed = [queue.claim(queue.new_worker()).task.id for _ in range(20)]
    assert len(set(claimed)) == 20


def test_lease_names_cannot_be_guessed(queue):
    for _ in range(20):
        queue.submit()
    leases = {queue.claim(queue.new_worker()).id.rsplit("-", 1)[1] for _ in range(20)}
    assert len(leases) == 20
    assert all(len(secret) == 20 for secret in leases)


def test_a_worker_that_asks_again_gets_the_lease_it_has_said_nothing_about(queue):
    """The answer to its first claim was lost."""
    queue.submit()
    queue.submit()
    first = queue.claim()
    assert queue.claim().id == first.id
    assert queue.get(first.task.id).attempt == 1
    assert queue.states(first.task.id) == ["queued", "running"]
    queue.call(report.report, first.id, queue.worker, (PhaseReport(phase="loading"),), 30.0)
    assert queue.claim().task.id != first.task.id


def test_a_worker_that_only_ever_claims_uses_up_the_attempts_of_a_task(queue):
    lease = queue.submit_and_claim()
    queue.call(lambda store: store.change("UPDATE tasks SET lease_until = lease_until - 20"))
    again = queue.claim()
    assert again.id == lease.id
    assert 5 < again.expires_in <= 10
    queue.expire(lease.id)
    assert queue.claim().task.attempt == 2


def test_nobody_gets_anothers_lease_again(queue):
    queue.submit_and_claim()
    assert queue.claim(queue.new_worker()) is None
