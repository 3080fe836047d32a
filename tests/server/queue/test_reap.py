from gpugen_server.queue import cancel, reap


def test_a_silent_workers_task_is_queued_again_and_says_why(queue):
    lease = queue.submit_and_claim()
    queue.expire(lease.id)
    assert queue.call(reap.reap) == 1
    assert queue.state(lease.task.id) == "queued"
    assert "fell silent" in queue.events(lease.task.id)[-1]["text"]


def test_a_lease_that_still_holds_is_left_alone(queue):
    lease = queue.submit_and_claim()
    assert queue.call(reap.reap) == 0
    assert queue.state(lease.task.id) == "running"


def test_a_task_that_loses_every_worker_fails_as_poisoned_and_the_queue_flows_on(queue):
    poison, other = queue.submit(), queue.submit()
    for _ in range(3):
        lease = queue.claim()
        assert lease.task.id == poison
        queue.expire(lease.id)
    assert queue.claim().task.id == other
    assert queue.get(poison).error.code == "poisoned"
    assert queue.states(poison)[-1] == "failed"


def test_cancel_beats_rescue(queue):
    lease = queue.submit_and_claim()
    queue.call(cancel.cancel, lease.task.id, None)
    queue.expire(lease.id)
    queue.call(reap.reap)
    assert queue.state(lease.task.id) == "canceled"
    assert queue.claim() is None


def test_leases_that_ran_out_while_the_server_was_down_are_spared(queue):
    lease = queue.submit_and_claim()
    queue.expire(lease.id)
    queue.call(reap.spare, 30.0)
    assert queue.call(reap.reap) == 0
    assert queue.hold(lease.id).attempt == 1
