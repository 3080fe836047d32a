import pytest

from gpugen_protocol.errors import Conflict, LeaseLost
from gpugen_server.queue import cancel


def test_a_task_with_all_its_images_succeeds_and_the_state_is_its_last_event(queue):
    lease = queue.submit_and_claim()
    queue.accept(lease.id)
    queue.complete(lease.id)
    task = queue.get(lease.task.id)
    assert (task.state, task.phase, len(task.images)) == ("succeeded", "done", 1)
    assert queue.events(task.id)[-1]["state"] == "succeeded"


def test_a_task_cannot_be_completed_before_every_image_is_there(queue):
    lease = queue.submit_and_claim(n=2)
    queue.accept(lease.id, 1)
    with pytest.raises(Conflict, match="2 image"):
        queue.complete(lease.id)
    assert queue.state(lease.task.id) == "running"


def test_images_of_an_earlier_attempt_do_not_count(queue):
    first = queue.submit_and_claim()
    queue.accept(first.id)
    queue.expire(first.id)
    second = queue.claim()
    with pytest.raises(Conflict):
        queue.complete(second.id)


@pytest.mark.parametrize("end", ["complete", "fail", "release"])
def test_ending_twice_after_a_lost_answer_counts_once(queue, end):
    lease = queue.submit_and_claim()
    queue.accept(lease.id)
    getattr(queue, end)(lease.id)
    before = queue.events(lease.task.id)
    getattr(queue, end)(lease.id)
    assert queue.events(lease.task.id) == before


@pytest.mark.parametrize("end", ["complete", "fail", "release"])
def test_a_stale_attempt_can_end_nothing(queue, end):
    first = queue.submit_and_claim()
    queue.accept(first.id)
    queue.expire(first.id)
    second = queue.claim()
    with pytest.raises(LeaseLost):
        getattr(queue, end)(first.id)
    assert queue.hold(second.id).attempt == 2


@pytest.mark.parametrize("end", ["complete", "fail", "release"])
def test_a_finished_task_never_changes(queue, end):
    lease = queue.submit_and_claim()
    queue.accept(lease.id)
    queue.fail(lease.id) if end == "complete" else queue.complete(lease.id)
    state = queue.state(lease.task.id)
    with pytest.raises(LeaseLost):
        getattr(queue, end)(lease.id)
    assert queue.state(lease.task.id) == state


def test_a_failure_is_told_with_its_code(queue):
    lease = queue.submit_and_claim()
    queue.fail(lease.id, "out_of_memory")
    assert queue.get(lease.task.id).error.code == "out_of_memory"
    assert queue.events(lease.task.id)[-1]["error"]["message"] == "No."


def test_a_retryable_failure_is_tried_three_times_and_then_final(queue):
    task = queue.submit()
    for attempt in (1, 2, 3):
        lease = queue.claim()
        assert lease.task.attempt == attempt
        queue.fail(lease.id, retryable=True)
    assert queue.state(task) == "failed"
    assert queue.get(task).error.code == "error"


def test_a_released_task_goes_back_to_its_place_and_loses_no_attempt(queue):
    first = queue.submit()
    queue.submit()
    for _ in range(5):
        lease = queue.claim()
        assert lease.task.id == first
        queue.release(lease.id)
    for _ in range(3):
        queue.fail(queue.claim().id, retryable=True)
    assert queue.get(first).attempt == 8
    assert queue.state(first) == "failed"


def test_a_task_that_is_given_back_without_end_fails_at_last(queue):
    task = queue.submit()
    queue.call(lambda store: store.change("UPDATE tasks SET attempt = 100, released = 100"))
    for _ in range(2):
        queue.release(queue.claim().id)
        assert queue.state(task) == "queued"
    queue.release(queue.claim().id)
    assert queue.get(task).error.code == "given_back"
    assert queue.claim() is None


@pytest.mark.parametrize("end", ["complete", "fail", "release"])
def test_a_task_asked_to_stop_ends_canceled_however_it_ends(queue, end):
    lease = queue.submit_and_claim()
    queue.accept(lease.id)
    queue.call(cancel.cancel, lease.task.id, "ann")
    getattr(queue, end)(lease.id)
    task = queue.get(lease.task.id)
    assert (task.state, len(task.images)) == ("canceled", 1)


def test_a_result_of_a_task_that_was_canceled_for_good_is_refused(queue):
    lease = queue.submit_and_claim()
    queue.call(cancel.cancel, lease.task.id, "ann")
    queue.fail(lease.id, "canceled")
    with pytest.raises(LeaseLost):
        queue.complete(lease.id)
    assert queue.states(lease.task.id) == ["queued", "running", "canceled"]
