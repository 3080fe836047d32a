import socket

import pytest

from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest
from gpugen_server.web import application


@pytest.fixture
def connect(server, monkeypatch):
    monkeypatch.setattr(application, "IDLE_SECONDS", 0.3)
    host, port = server.url.removeprefix("http://").split(":")
    return lambda: socket.create_connection((host, int(port)), timeout=20)


def test_a_connection_that_asks_nothing_is_cut(connect):
    with connect() as silent:
        assert silent.recv(1) == b""


def test_a_head_that_drips_is_cut(connect):
    with connect() as drip:
        drip.sendall(b"GET /healthz HTTP/1.1\r\nHost")
        assert drip.recv(1) == b""


def test_a_connection_that_was_answered_and_asks_no_more_is_cut(connect):
    with connect() as caller:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert caller.recv(12) == b"HTTP/1.1 200"
        while caller.recv(4096):
            pass


def test_a_claim_that_waits_is_not_cut_nor_is_a_websocket(
    connect, server, worker_api, tasks, listen, wait_until
):
    listener = listen(server, "?task=*")
    assert worker_api.claim(ClaimRequest(wait_seconds=2.5)) == ()
    task = tasks.submit(TaskRequest(prompt="a cat"))
    wait_until(lambda: listener.numbers(task.id))


def test_connections_that_ended_are_forgotten(server, wait_until):
    patience = server.server._http.request_callback.patience
    host, port = server.url.removeprefix("http://").split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port)), timeout=20) as caller:
            caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert caller.recv(12) == b"HTTP/1.1 200"
    wait_until(lambda: len(patience._deadlines) == 0)
