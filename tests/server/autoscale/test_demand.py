"""Tests of what the queue asks of the autoscaler."""

import time

from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale import demand
from gpugen_server.autoscale.demand import Demand
from gpugen_server.autoscale.plan import Work
from gpugen_server.autoscale.provider import WORKER_USER
from gpugen_server.queue.demand import tell_waiting


def _demand(queue):
    return queue.database.call(demand.read, time.time() - 30, time.time() + 150)


def test_it_counts_what_waits_and_who_is_there(queue):
    assert _demand(queue) == Demand(work=Work(seconds=0.0), absent=True)
    queue.submit()
    queue.submit()
    ours = queue.worker(WORKER_USER)
    queue.worker("ann")
    assert _demand(queue) == Demand(work=Work(waiting=2), started=1, others=1, alone=[])
    queue.claim(ours)
    assert _demand(queue) == Demand(work=Work(waiting=1, running=1, left=None), started=1, others=1, alone=[])


def test_it_knows_how_much_work_waits_once_such_tasks_were_done(queue):
    done = queue.submit()
    queue.submit()
    queue.database.call(
        lambda store: store.change(
            "UPDATE tasks SET state = 'succeeded', started_at = 100, finished_at = 142 WHERE id = ?", done
        )
    )
    assert _demand(queue).work.seconds == 42.0
    assert _demand(queue).work.left == 0.0
    queue.submit("sdxl")
    assert _demand(queue).work.seconds is None


def test_it_knows_how_much_is_left_to_those_at_work_once_such_tasks_were_done(queue):
    done = queue.submit()
    for _ in range(3):
        queue.submit()
    ours, another = queue.worker(WORKER_USER), queue.worker(WORKER_USER)
    queue.database.call(
        lambda store: store.change(
            "UPDATE tasks SET state = 'succeeded', started_at = 100, finished_at = 400 WHERE id = ?", done
        )
    )
    queue.claim(ours)
    queue.claim(another)
    work = _demand(queue).work
    assert (work.waiting, work.running, work.seconds) == (1, 2, 300.0)
    assert 500 < work.left <= 600


def test_workers_of_others_count_if_together_they_serve_all_that_waits(queue):
    queue.submit("emoji")
    queue.worker("ann", "sdxl")
    assert _demand(queue).others == 0
    queue.worker("ann", "emoji")
    assert _demand(queue).others == 1
    queue.submit("sdxl")
    assert _demand(queue).others == 2


def test_the_kinds_that_nobody_who_is_there_draws_are_alone(queue):
    queue.submit("emoji")
    queue.submit("sdxl")
    assert _demand(queue).alone is None  # nobody is there
    worker = queue.worker("ann", "emoji")
    assert [kind.model for kind in _demand(queue).alone] == ["sdxl"]
    _set_aside(queue, worker, 1800)
    assert _demand(queue).alone is None


def test_one_that_is_set_aside_until_another_would_be_there_is_room_for_nothing(queue):
    queue.submit()
    bad = queue.worker("ann")
    assert _demand(queue).others == 1
    _set_aside(queue, bad, 1800)
    assert (_demand(queue).others, _demand(queue).absent) == (0, False)
    _set_aside(queue, bad, 60)
    assert _demand(queue).others == 1  # it is back before
    _set_aside(queue, bad, 1800)
    queue.worker("bob")
    assert _demand(queue).others == 1


def _set_aside(queue, worker, seconds):
    until = time.time() + seconds
    queue.database.call(
        lambda store: store.change("UPDATE workers SET set_aside_until = ? WHERE id = ?", until, worker)
    )


def test_a_complaint_goes_into_the_log_of_each_task_that_waits(queue):
    task = queue.submit()
    queue.database.call(demand.complain, "it hurts")
    last = queue.events(task)[-1]
    assert (last["type"], last["level"], last["message"]) == ("log", "error", "it hurts")


def test_tasks_that_nobody_serves_fail_with_the_reason(queue):
    waiting, running = queue.submit(), queue.submit()
    queue.database.call(
        lambda store: store.change("UPDATE tasks SET state = 'running' WHERE id = ?", running)
    )
    failure = TaskFailure(code="missing_extra", message="No torch.", hint="Install it.")
    queue.database.call(demand.fail_unserved, time.time(), lambda *_: failure)
    assert queue.task(waiting) == ("failed", "done", "No torch.")
    assert queue.task(running)[0] == "running"
    last = queue.events(waiting)[-1]
    assert (last["type"], last["state"], last["error"]["code"]) == ("state", "failed", "missing_extra")
    assert [event["seq"] for event in queue.events(waiting)] == list(range(1, len(queue.events(waiting)) + 1))


def test_when_the_worker_is_there_those_who_waited_for_it_wait_for_their_turn(queue):
    first, second = queue.submit(), queue.submit()
    queue.database.call(tell_waiting, None, "starting", "Starting a worker on this machine", None)
    queue.claim(queue.worker(WORKER_USER, "emoji"))
    third = queue.submit()
    queue.database.call(demand.line_up, time.time() - 30)
    assert queue.task(first)[0] == "running"
    assert queue.task(second) == ("queued", "queued", "next in line")
    assert queue.events(second)[-1]["phase"] == "queued"
    assert "starting" not in queue.events(second)[-1]["text"].lower()
    assert len(queue.events(third)) == 2


def test_a_very_long_queue_is_not_counted_to_its_end(queue, monkeypatch):
    monkeypatch.setattr(demand, "COUNTED", 10)
    for _ in range(12):
        queue.submit()
    assert _demand(queue).work.waiting == 10


def test_tasks_of_a_model_that_somebody_serves_do_not_fail_even_if_he_is_silent_for_a_while(queue):
    served, unserved = queue.submit("emoji"), queue.submit("sdxl")
    queue.worker("ann", "emoji")
    later = time.time() + demand.PATIENCE - 10

    def fail(live_after):
        failure = TaskFailure(code="model_missing", message="No model.")
        queue.database.call(demand.fail_unserved, live_after, lambda *_: failure)
        return queue.task(served)[0], queue.task(unserved)[0]

    assert fail(later) == ("queued", "failed")
    assert fail(later + 20) == ("failed", "failed")
