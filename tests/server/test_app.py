"""The server as a whole: start, restart, stop."""

import socket
import threading
import time

import pytest

from gpugen_protocol.errors import Misconfigured, Unavailable
from gpugen_protocol.events import LogReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion

CAT = TaskRequest(prompt="a cat", width=64, height=64)


def test_tasks_images_and_leases_survive_a_restart(server, png):
    tasks, api = server.tasks(), server.worker()
    first, second = tasks.submit(CAT), tasks.submit(CAT)
    (done,) = api.claim(ClaimRequest(wait_seconds=0))
    api.upload(done.id, 0, png(64, 64))
    (running,) = api.complete(done.id, Completion(claim=ClaimRequest(wait_seconds=0)))
    server.restart()
    assert tasks.get(first.id).state == "succeeded"
    assert tasks.image(first.id, 0).startswith(b"\x89PNG")
    api.report(running.id, (LogReport(message="still here"),))
    api.upload(running.id, 0, png(64, 64))
    api.complete(running.id, Completion())
    assert tasks.get(second.id).state == "succeeded"
    assert [event.seq for event in tasks.events(second.id).events] == list(range(1, 7))


def test_a_task_whose_worker_died_is_drawn_by_another(make_server, wait_until):
    server = make_server(lease_seconds=0.3, heartbeat_seconds=0.1)
    task = server.tasks().submit(CAT)
    server.worker().claim(ClaimRequest(wait_seconds=0))
    wait_until(lambda: server.tasks().get(task.id).state == "queued", 5)
    (again,) = server.worker().claim(ClaimRequest(wait_seconds=5))
    assert (again.task.id, again.task.attempt) == (task.id, 2)


def test_a_stop_sends_waiting_workers_away_and_says_good_bye_to_sockets(make_server, listen, wait_until):
    server = make_server()
    listener = listen(server)
    api, got = server.worker(), []
    thread = threading.Thread(target=lambda: got.append(api.claim(ClaimRequest(wait_seconds=30))))
    thread.start()
    wait_until(lambda: server.server._dispatcher._waiting)
    begun = time.monotonic()
    server.stop()
    thread.join(5)
    assert time.monotonic() - begun < 5
    assert got == [()]
    wait_until(lambda: listener.closed is not None)
    assert listener.closed.rcvd.code == 1001
    with pytest.raises(OSError):
        socket.create_connection((server.server.settings.host, server.server.port), timeout=1)


def test_a_stop_is_not_held_up_by_a_client_that_never_finishes_its_request(
    make_server, wait_until, monkeypatch
):
    monkeypatch.setattr("gpugen_server.app.STOP_SECONDS", 0.5)
    server = make_server()
    head = (
        "POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        f"Authorization: Bearer {server.user_token}\r\n\r\n"
    )
    with socket.create_connection((server.server.settings.host, server.server.port)) as slow:
        slow.sendall(head.encode() + b"{")
        wait_until(lambda: server.server._services._in_flight)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Tornado forgets that socket
def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open(server, make_server):
    with pytest.raises(OSError):
        make_server(port=server.server.port)


def test_a_database_of_a_newer_gpugen_keeps_the_server_from_starting(make_server, tmp_path):
    first = make_server(data=tmp_path / "d")
    first.sql("PRAGMA user_version = 99")
    first.stop()
    with pytest.raises(Misconfigured):
        make_server(data=tmp_path / "d")


def test_an_image_folder_that_cannot_be_made_keeps_the_server_from_starting(make_server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        make_server(storage_url=f"file://{tmp_path}/file/images")


def test_whoever_starts_workers_hears_of_submits(server):
    heard = []
    server.server.on_queued(lambda: heard.append(1))
    server.tasks().submit(CAT)
    assert heard


def test_idle_is_what_only_requests_with_a_good_token_interrupt(server, wait_until):
    before = server.server.last_use
    import requests

    requests.get(server.url + "/healthz", timeout=5)
    requests.get(server.url + "/api/v1/tasks", timeout=5)
    assert server.server.last_use == before
    server.tasks().list()
    assert server.server.last_use > before


def test_a_server_about_to_end_takes_no_task_and_says_when_to_ask_again(server):
    import requests

    old = server.tasks().cancel(server.tasks().submit(CAT).id).id
    server.server.refuse_tasks(True)
    for path, body in (("tasks", {"prompt": "a"}), (f"tasks/{old}/retry", None)):
        answer = requests.post(
            f"{server.url}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {server.user_token}"},
            timeout=5,
        )
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert server.tasks().stats().tasks == {"canceled": 1}
    server.server.refuse_tasks(False)
    server.tasks().submit(CAT)


def test_the_look_for_expired_leases_survives_whatever_happens(make_server, wait_until, monkeypatch):
    looks = []

    def wrong(store):
        looks.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr("gpugen_server.housekeeping.reap.reap", wrong)
    make_server(lease_seconds=0.3, heartbeat_seconds=0.1)
    wait_until(lambda: len(looks) > 2)
