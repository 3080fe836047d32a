import gc
import socket as sockets
import threading
import weakref

import pytest
from websockets.exceptions import InvalidStatus

from gpugen_protocol.events import LogReport, PhaseReport, PreviewReport, ProgressReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion, Failure

CAT = TaskRequest(prompt="a cat", width=64, height=64)


@pytest.fixture
def no_collections():
    """Only what nothing refers to any more is freed."""
    gc.disable()
    yield
    gc.enable()


def references(server):
    """The one open socket and its watcher, as weak references."""
    (handler,) = server.server._services.sockets
    return weakref.ref(handler), weakref.ref(handler.watcher)


def test_a_whole_life_on_one_socket(server, tasks, worker_api, listen, wait_until, png):
    task = tasks.submit(CAT).id
    listener = listen(server, f"?task={task}")
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    worker_api.report(lease.id, (PhaseReport(phase="loading"), ProgressReport(image=0, step=1, steps=20)))
    wait_until(lambda: listener.of("progress"))
    worker_api.report(lease.id, (PreviewReport(image=0, step=1, data="AAAA"), LogReport(message="hi")))
    worker_api.upload(lease.id, 0, png(64, 64))
    worker_api.complete(lease.id, Completion())
    wait_until(lambda: listener.events[-1].get("state") == "succeeded")
    assert listener.events[0]["type"] == "snapshot"
    assert listener.numbers() == list(range(1, 8))
    assert (listener.of("preview")[0]["data"], listener.of("image")[0]["index"]) == ("AAAA", 0)
    assert all("at" in event for event in listener.events)


def test_a_reconnect_resumes_after_the_last_number(server, tasks, listen, wait_until):
    task = tasks.submit(CAT).id
    first = listen(server, f"?task={task}")
    wait_until(lambda: first.numbers() == [1, 2])
    first.close()
    tasks.cancel(task)
    second = listen(server, f"?task={task}&after=2")
    wait_until(lambda: second.numbers() == [3])
    assert second.events[0]["data"]["state"] == "canceled"


def test_many_tasks_on_one_socket_and_no_more_after_unsubscribe(server, tasks, listen, wait_until):
    one, two = tasks.submit(CAT).id, tasks.submit(CAT).id
    listener = listen(server)
    listener.say(subscribe={"task": one})
    listener.say(subscribe={"task": two, "after": 1})
    wait_until(lambda: listener.numbers(one) == [1, 2] and listener.numbers(two) == [2])
    listener.say(unsubscribe={"task": one})
    listener.say(subscribe={"task": two, "after": 2})
    wait_until(lambda: len(listener.of("snapshot")) == 3)
    tasks.cancel(one)
    tasks.cancel(two)
    wait_until(lambda: listener.numbers(two) == [2, 3])
    assert listener.numbers(one) == [1, 2]


def test_everything_means_active_tasks_new_ones_and_those_known_before(server, tasks, listen, wait_until):
    old = tasks.cancel(tasks.submit(CAT).id).id
    active = tasks.submit(CAT).id
    listener = listen(server)
    listener.say(subscribe={"task": "*", "after": {old: 2, active: 1}})
    wait_until(lambda: listener.numbers(old) == [3] and listener.numbers(active) == [2])
    new = tasks.submit(CAT).id
    other = server.tasks(server.make_token("user", "bob")).submit(CAT).id
    wait_until(lambda: listener.numbers(new) == [1, 2])
    assert other not in {event["task"] for event in listener.events}


def test_everything_can_be_asked_for_in_the_address(server, tasks, listen, wait_until):
    task = tasks.submit(CAT).id
    listener = listen(server, "?task=*")
    wait_until(lambda: listener.numbers(task) == [1, 2])


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"subscribe": {"task": "unknown"}}, "not_found"),
        ({"subscribe": {}}, "invalid_request"),
        ({"dance": True}, "invalid_request"),
        ({"subscribe": {"task": "x", "after": "y"}}, "invalid_request"),
    ],
)
def test_a_bad_command_is_answered_with_a_notice_and_the_socket_lives(
    server, tasks, listen, wait_until, command, code
):
    listener = listen(server)
    listener.say(**command)
    wait_until(lambda: listener.of("notice"))
    assert listener.of("notice")[0]["code"] == code
    task = tasks.submit(CAT).id
    listener.say(subscribe={"task": task, "after": 10**20})
    wait_until(lambda: listener.of("snapshot"))


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "file://",
        "http://127.0.0.1",
        "http://127.0.0.1:1.evil.example",
        "http://[",
    ],
)
def test_pages_of_other_origins_are_refused(server, listen, origin):
    with pytest.raises(InvalidStatus) as refused:
        listen(server, Origin=origin)
    assert refused.value.response.status_code == 403


def test_pages_of_our_own_origin_are_welcome(server, tasks, listen, wait_until):
    listener = listen(server, f"?task={tasks.submit(CAT).id}", Origin=server.url)
    wait_until(lambda: listener.numbers() == [1, 2])


@pytest.mark.parametrize("token", ["wrong", "x"])
def test_without_a_good_token_there_is_no_socket(server, listen, token):
    with pytest.raises(InvalidStatus) as refused:
        listen(server, "", token)
    assert refused.value.response.status_code == 401


def test_others_tasks_are_refused_before_the_socket_opens(server, tasks, listen):
    task = tasks.submit(CAT).id
    with pytest.raises(InvalidStatus) as refused:
        listen(server, f"?task={task}", server.make_token("user", "bob"))
    assert refused.value.response.status_code == 404
    assert refused.value.response.headers["Content-Type"] == "application/problem+json"


def test_a_closed_socket_leaves_nothing_behind(server, tasks, listen, wait_until):
    listener = listen(server, f"?task={tasks.submit(CAT).id}")
    wait_until(lambda: tasks.stats().watchers == 1)
    listener.close()
    wait_until(lambda: tasks.stats().watchers == 0)
    assert server.server._hub._by_task == {}
    assert server.server._services.sockets == set()


def test_a_client_that_does_not_read_is_disconnected_and_costs_little(
    server, tasks, worker_api, wait_until, monkeypatch, no_collections
):
    monkeypatch.setattr("gpugen_server.web.updates._DEADLINE", 0.5)
    task = tasks.submit(CAT).id
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    host, port = server.url.removeprefix("http://").split(":")
    with sockets.socket() as stuck:
        stuck.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        stuck.connect((host, int(port)))
        stuck.sendall(
            f"GET /api/v1/events?task={task} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: Bearer {server.user_token}\r\n\r\n".encode()
        )
        wait_until(lambda: len(server.server._hub) == 1)
        opened = references(server)
        preview = PreviewReport(image=0, step=1, data="A" * 24_000)

        def gone():
            worker_api.report(lease.id, (preview,))  # the system's buffers take more than a hundred
            return len(server.server._hub) == 0

        wait_until(gone)
    wait_until(lambda: [each() for each in opened] == [None, None])
    worker_api.fail(lease.id, Failure(code="error", message="x"))
    assert tasks.get(task).state == "failed"


def test_a_socket_that_is_closed_leaves_nothing_for_a_collection_of_garbage(
    server, tasks, worker_api, listen, wait_until, no_collections
):
    task = tasks.submit(CAT).id
    listener = listen(server, f"?task={task}")
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    worker_api.report(lease.id, (PreviewReport(image=0, step=1, data="AAAA"),))
    wait_until(lambda: listener.of("preview"))
    opened = references(server)
    listener.close()
    wait_until(lambda: [each() for each in opened] == [None, None])


def test_many_watchers_of_one_task_all_get_everything(server, tasks, worker_api, listen, wait_until):
    task = tasks.submit(CAT).id
    listeners = [listen(server, f"?task={task}") for _ in range(10)]
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    threads = [
        threading.Thread(
            target=lambda: [worker_api.report(lease.id, (LogReport(message="x"),)) for _ in range(20)]
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: all(listener.numbers() == list(range(1, 44)) for listener in listeners))


def test_a_token_that_is_revoked_loses_its_sockets(server, tasks, listen, wait_until, monkeypatch):
    monkeypatch.setattr("gpugen_server.web.updates.TOKEN_SECONDS", 0.05)
    token = server.make_token("user", "bob")
    listener = listen(server, "?task=*", token)
    other = listen(server, "?task=*")
    server.sql("UPDATE tokens SET revoked_at = 1 WHERE owner = 'bob'")
    server.server._services.gate.forget()
    wait_until(lambda: listener.closed)
    assert listener.closed.rcvd.code == 1008
    assert other.closed is None
