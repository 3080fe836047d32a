from __future__ import annotations

from typing import Any

import pytest
from tests.client.flaky_proxy import FlakyProxy
from tests.fakes import DrawingWorker, until

from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol.errors import NotFound
from gpugen_protocol.request import TaskRequest

CAT = TaskRequest(prompt="a cat", seed=7)


def test_a_submit_whose_answer_was_lost_makes_one_task(server: Any, tasks: Tasks) -> None:
    with FlakyProxy(server.server.port, losing=2) as proxy:
        task = Tasks(Connection(proxy.url, server.user_token)).submit(CAT)
    assert proxy.lost == 2
    assert [found.id for found in tasks.list().tasks] == [task.id]


def test_two_submits_of_the_same_request_make_two_tasks(tasks: Tasks) -> None:
    assert tasks.submit(CAT).id != tasks.submit(CAT).id


def test_tasks_are_listed_page_by_page_newest_first(tasks: Tasks) -> None:
    made = [tasks.submit(CAT).id for _ in range(3)]
    first = tasks.list(limit=2)
    second = tasks.list(limit=2, cursor=first.next_cursor)
    assert [task.id for task in (*first.tasks, *second.tasks)] == made[::-1]
    assert second.next_cursor is None


def test_a_task_goes_its_way(server: Any, tasks: Tasks) -> None:
    with DrawingWorker(server.url, server.worker_token):
        task = tasks.submit(CAT)
        until(lambda: tasks.get(task.id).finished)
    assert tasks.get(task.id).state == "succeeded"
    assert tasks.image(task.id, 0).startswith(b"\x89PNG")
    page = tasks.events(task.id, after=2)
    assert page.events[0].seq == 3
    assert page.events[-1].seq == page.last_seq
    tasks.delete(task.id)
    with pytest.raises(NotFound):
        tasks.get(task.id)


def test_cancel_and_retry(tasks: Tasks) -> None:
    task = tasks.submit(CAT)
    assert tasks.cancel(task.id).state == "canceled"
    again = tasks.retry(task.id)
    assert (again.state, again.retry_of, again.request) == ("queued", task.id, task.request)
    assert [found.id for found in tasks.list(state="queued").tasks] == [again.id]


def test_models_workers_and_health_are_told(tasks: Tasks) -> None:
    assert tasks.models().default == "emoji"
    assert tasks.workers().workers == ()
    assert tasks.health().state == "ok"
    assert tasks.stats().uptime_seconds >= 0
