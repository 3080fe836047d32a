"""Progress that is told without asking the database, and never when it would have said no."""

import pytest

from gpugen_protocol.errors import InvalidRequest, LeaseLost
from gpugen_protocol.events import PreviewReport, ProgressReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Failure

STEP = (ProgressReport(image=0, step=1, steps=9),)


@pytest.fixture
def lease(server, tasks, worker_api):
    tasks.submit(TaskRequest(prompt="a cat"))
    (found,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    return found


@pytest.fixture
def looks(server, monkeypatch):
    """How often a report was looked up in the database."""
    from gpugen_server.queue import report

    found, real = [], report.report
    monkeypatch.setattr(report, "report", lambda *args: found.append(1) or real(*args))
    return found


def test_of_many_steps_one_is_looked_up_and_all_are_told(
    server, worker_api, lease, looks, listen, wait_until
):
    listener = listen(server, f"?task={lease.task.id}")
    wait_until(lambda: listener.numbers() == [1, 2, 3])
    for step in range(9):
        worker_api.report(lease.id, (ProgressReport(image=0, step=step, steps=9),))
    wait_until(lambda: listener.of("progress") and listener.of("progress")[-1]["step"] == 8)
    assert len(looks) < 9


def test_a_cancel_rides_on_the_very_next_answer(tasks, worker_api, lease, looks):
    worker_api.report(lease.id, STEP)
    assert not worker_api.report(lease.id, STEP).cancel
    tasks.cancel(lease.task.id)
    assert worker_api.report(lease.id, STEP).cancel


def test_a_cancel_at_another_server_rides_on_it_too(make_server, server, worker_api, lease, wait_until):
    other = make_server(data=server.settings.data, redis=server.redis)
    worker_api.report(lease.id, STEP)
    other.tasks().cancel(lease.task.id)
    wait_until(lambda: worker_api.report(lease.id, STEP).cancel)


def test_a_lease_that_ended_is_lost_at_once(server, worker_api, lease):
    worker_api.report(lease.id, STEP)
    worker_api.fail(lease.id, Failure(code="error", message="x"))
    with pytest.raises(LeaseLost):
        worker_api.report(lease.id, STEP)


def test_another_workers_lease_is_not_to_be_had_by_its_name(server, worker_api, lease):
    worker_api.report(lease.id, STEP)
    with pytest.raises(LeaseLost):
        server.worker().report(lease.id, STEP)


def test_what_does_not_fit_the_task_is_refused_from_memory_as_well(worker_api, lease):
    worker_api.report(lease.id, STEP)
    with pytest.raises(InvalidRequest, match="the task has 1 image"):
        worker_api.report(lease.id, (PreviewReport(image=3, step=1, data="AAAA"),))


def test_a_worker_that_only_tells_steps_keeps_its_lease(make_server, wait_until):
    server = make_server(lease_seconds=1.0, heartbeat_seconds=0.3)
    server.tasks().submit(TaskRequest(prompt="a cat"))
    api = server.worker()
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    (began,) = server.sql("SELECT lease_until FROM tasks")
    api.report(lease.id, STEP)

    def prolonged():
        api.report(lease.id, STEP)
        return server.sql("SELECT lease_until FROM tasks")[0][0] > began[0] + 0.3

    wait_until(prolonged)
