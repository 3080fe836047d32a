"""Waiting tasks that somebody watches hear how their wait goes on."""

import pytest

from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("gpugen_server.outlook.SECONDS", 0.05)


def texts(listener):
    return [event["text"] for event in listener.of("phase") if event["phase"] == "queued"]


def test_the_place_is_told_as_it_changes_with_its_reason(server, tasks, listen, wait_until, png):
    small = {"width": 64, "height": 64, "steps": 1}
    first, second, third = (tasks.submit(TaskRequest(prompt=str(n), **small)).id for n in range(3))
    listener = listen(server, f"?task={third}")
    wait_until(lambda: texts(listener) == ["waiting for a worker: none is running"])
    api = server.worker()
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    wait_until(lambda: texts(listener)[-1:] == ["1 task before yours"])
    assert listener.of("phase")[-1]["data"] == {"reason": "busy", "position": 2, "eta_seconds": None}
    api.upload(lease.id, 0, png(64, 64))
    api.complete(lease.id, Completion())
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    assert lease.task.id == second
    wait_until(lambda: texts(listener)[-1:] == ["next in line"])
    assert listener.of("phase")[-1]["data"]["eta_seconds"] is not None
    assert tasks.get(first).state == "succeeded"


def test_a_task_that_nobody_watches_costs_no_events(server, tasks, listen, wait_until):
    quiet, watched = tasks.submit(TaskRequest(prompt="a")).id, tasks.submit(TaskRequest(prompt="b")).id
    listener = listen(server, f"?task={watched}")
    wait_until(lambda: listener.numbers() == [1, 2])
    server.worker()
    wait_until(lambda: len(listener.numbers()) == 3)
    assert tasks.events(quiet).last_seq == 2


def test_far_back_in_the_queue_only_long_strides_are_told(queue):
    from gpugen_server.queue import waiting

    tasks = [queue.submit() for _ in range(45)]
    last = tasks[-1]
    assert queue.get(last).phase_text == "44 tasks before yours"

    def told():
        queue.call(waiting.tell, last, 0.0)
        return [event["text"] for event in queue.events(last) if event["type"] == "phase"][1:]

    for task in tasks[:3]:
        queue.cancel(task)
    assert told() == []
    queue.cancel(tasks[3])
    assert told() == ["40 tasks before yours"]


def test_what_the_autoscaler_said_is_not_talked_over(queue):
    from gpugen_server.queue import waiting
    from gpugen_server.queue.demand import tell_waiting

    task = queue.submit()
    queue.call(tell_waiting, None, "queued", "The worker ended at once; trying again in 2 s.", None)
    queue.call(waiting.tell, task, 0.0)
    assert queue.get(task).phase_text == "The worker ended at once; trying again in 2 s."
