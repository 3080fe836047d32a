from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.client.bad_line import BadLine
from tests.conftest import RunningServer
from tests.fakes import DrawingWorker, until
from tests.kernel_ext.conftest import Shell

from gpugen import listings
from gpugen.client import Client
from gpugen_client.claims import WorkerApi
from gpugen_protocol.worker import ClaimRequest, Failure


def test_the_queue_lists_what_waits_and_runs(
    gpugen: Shell, client: Client, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.hold()
    first = client.submit("first in line")
    until(lambda: first.state == "running")
    second = client.submit("second in line")
    out = gpugen("queue").stdout
    assert "first in line" in out
    assert "second in line" in out
    assert out.index(second.id) < out.index(first.id)
    tasks = json.loads(gpugen("queue", "--json").stdout)["tasks"]
    assert [task["state"] for task in tasks] == ["queued", "running"]


def test_a_task_in_nobodys_line_says_why_instead_of_a_number_here_and_in_a_notebook(
    gpugen: Shell, client: Client, server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.worker("emoji")
    task = client.submit("a cat", model="sdxl")
    (line,) = [line for line in gpugen("queue").stdout.splitlines() if task.id in line]
    assert "waiting for a worker that has the model sdxl" in line
    listings.queue(client)
    assert "waiting for a worker that has the model sdxl" in capsys.readouterr().out


def test_an_empty_queue_says_so(gpugen: Shell) -> None:
    done = gpugen("queue")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No task waits or runs.\n")
    assert json.loads(gpugen("queue", "--json").stdout) == {"tasks": []}


def test_finished_tasks_are_listed_with_all(gpugen: Shell, client: Client) -> None:
    task = client.submit("a cat")
    task.cancel()
    assert task.id not in gpugen("queue").stdout
    assert task.id in gpugen("queue", "--all").stdout


def test_a_queued_task_is_canceled_at_once(gpugen: Shell, client: Client) -> None:
    task = client.submit("a cat")
    done = gpugen("cancel", task.id)
    assert (done.returncode, done.stdout) == (0, f"Task {task.id} is canceled.\n")
    assert task.state == "canceled"
    assert gpugen("cancel", task.id).stdout == f"Task {task.id} is already canceled.\n"


def test_a_group_is_canceled_as_one(gpugen: Shell, client: Client, worker_api: WorkerApi) -> None:
    tasks = [client.submit("a cat", group="g") for _ in range(3)]
    other = client.submit("a dog", priority=-20)
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    assert gpugen("cancel", "--group", "g").stdout == "Group g is being canceled: 1 still running.\n"
    assert [task.state for task in (*tasks, other)] == ["running", "canceled", "canceled", "queued"]
    worker_api.fail(lease.id, Failure(code="canceled", message="Stopped."))
    assert gpugen("cancel", "--group", "g").stdout == "Group g is already finished.\n"
    assert json.loads(gpugen("cancel", "--group", "g", "--json").stdout)["tasks"] == {"canceled": 3}


def test_a_group_that_does_not_exist_is_exit_code_2(gpugen: Shell) -> None:
    done = gpugen("cancel", "--group", "nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no group nope." in done.stderr


@pytest.mark.parametrize("arguments", [(), ("some-id", "--group", "g")])
def test_either_a_task_or_a_group_is_canceled(gpugen: Shell, arguments: tuple[str, ...]) -> None:
    done = gpugen("cancel", *arguments)
    assert done.returncode == 2
    assert "Name a task by its ID, or a group with --group." in done.stderr


def test_the_start_of_an_id_is_enough_if_there_is_only_one(gpugen: Shell, client: Client) -> None:
    task = client.submit("a cat")
    assert json.loads(gpugen("cancel", task.id[:-2], "--json").stdout)["id"] == task.id


def test_the_start_of_several_ids_is_refused(gpugen: Shell, client: Client) -> None:
    tasks = [client.submit("a cat"), client.submit("a dog")]
    done = gpugen("cancel", tasks[0].id[:3])
    assert done.returncode == 2
    assert "2 tasks start with" in done.stderr
    assert [task.state for task in tasks] == ["queued", "queued"]


@pytest.mark.parametrize("command", ["cancel", "retry", "logs", "images"])
def test_a_task_that_does_not_exist_is_exit_code_2(gpugen: Shell, command: str) -> None:
    done = gpugen(command, "nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no task 'nope'." in done.stderr
    assert f"your tasks at {gpugen.environ['GPUGEN_URL']}; another GPUGEN_DATA_DIR" in done.stderr


def test_retry_submits_the_same_request_as_a_new_task(gpugen: Shell, client: Client) -> None:
    task = client.submit("a cat", seed=7)
    task.cancel()
    new = client.task(gpugen("retry", task.id).stdout.strip())
    assert new.record.request == task.record.request
    assert new.record.retry_of == task.id


def test_images_are_fetched_again(gpugen_drawing: Shell, client: Client) -> None:
    result = client.generate("a cat", n=2, seed=7)
    done = gpugen_drawing("images", result.task.id, "-o", "out")
    assert done.stdout.splitlines() == gpugen_drawing.files() == ["out/a-cat-7.png", "out/a-cat-8.png"]
    assert (gpugen_drawing.folder / "out/a-cat-8.png").read_bytes() == result.png(1)


def test_of_a_failed_task_the_finished_images_are_fetched(
    gpugen: Shell, client: Client, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.failure = Failure(code="error", message="Broken.")
    task = client.submit("a cat", n=3, seed=7)
    until(lambda: task.state == "failed")
    done = json.loads(gpugen("images", task.id, "-o", "one.png", "--json").stdout)
    assert done["files"] == ["one.png"]
    assert gpugen.files() == ["one.png"]


def test_a_task_without_images_says_so(gpugen: Shell, client: Client) -> None:
    done = gpugen("images", client.submit("a cat").id)
    assert done.returncode == 2
    assert "is queued and has no images" in done.stderr


def test_logs_tell_what_happened(gpugen_drawing: Shell, client: Client) -> None:
    task = client.generate("a cat").task
    lines = gpugen_drawing("logs", task.id).stdout
    for words in ("state    queued", "The fake worker draws.", "image    0", "state    succeeded"):
        assert words in lines
    events = json.loads(gpugen_drawing("logs", task.id, "--json").stdout)["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_logs_can_be_followed_to_the_end(
    gpugen: Shell, client: Client, server: Any, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.hold()
    task = client.submit("a cat")
    following = gpugen.start("logs", task.id, "-f", "--json")
    until(lambda: server.server.watchers, 20)
    drawing_worker.go_on()
    out, _ = following.communicate(timeout=20)
    events = [json.loads(line) for line in out.splitlines()]
    assert following.returncode == 0
    assert events[0]["state"] == "queued"
    assert events[-1]["state"] == "succeeded"


def test_logs_are_followed_over_a_line_that_breaks(
    gpugen: Shell, client: Client, server: Any, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.hold(before_step=3)
    task = client.submit("a cat", n=2)
    with BadLine(urlsplit(server.url).port) as line:
        following = gpugen.start("logs", task.id, "-f", "--json", GPUGEN_URL=line.url)
        until(lambda: server.server.watchers, 20)
        line.cut()
        drawing_worker.go_on()
        out, _ = following.communicate(timeout=30)
    events = [json.loads(line) for line in out.splitlines()]
    assert following.returncode == 0
    last = client.api.events(task.id).last_seq
    assert [event["seq"] for event in events if "seq" in event] == list(range(1, last + 1))


def test_logs_say_what_is_no_longer_kept(gpugen_drawing: Shell, client: Client, server: Any) -> None:
    task = client.generate("a cat").task
    server.sql("DELETE FROM events WHERE seq < 4")
    assert "gap      events up to number 3 are no longer kept" in gpugen_drawing("logs", task.id).stdout
    events = json.loads(gpugen_drawing("logs", task.id, "--json").stdout)["events"]
    assert [event["type"] for event in events][:1] == ["gap"]
    assert events[1]["seq"] == 4
