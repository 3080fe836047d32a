"""Requests byte by byte, as no library would send them."""

import asyncio
import re
import socket
import threading
from contextlib import contextmanager

import pytest

from gpugen_protocol.errors import InvalidRequest
from gpugen_server.queue import search
from gpugen_server.web.health import Healthz

GOOD = b'{"prompt": "a cat"}'


class Caller:
    """One connection to the server."""

    def __init__(self, server, connection, answers):
        self._authorization = f"Authorization: Bearer {server.user_token}\r\n"
        self._connection = connection
        self._answers = answers

    def send(self, method, path, body=b"", version="1.1", headers="", known=True):
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        who = self._authorization if known else ""
        head = f"{method} {path} HTTP/{version}\r\nHost: x\r\n{who}{length}{headers}\r\n"
        self._connection.sendall(head.encode() + body)

    def send_raw(self, data):
        self._connection.sendall(data)

    def answer(self, *, has_body=True):
        """Status, headers and body."""
        status = int(self._answers.readline().split()[1])
        headers = {}
        while line := self._answers.readline().strip().decode():
            name, _, value = line.partition(": ")
            headers[name] = value
        length = int(headers.get("Content-Length", 0)) if has_body else 0
        return status, headers, self._answers.read(length)

    def is_closed(self):
        return self._answers.read(1) == b""


@pytest.fixture
def call(server):
    @contextmanager
    def connect():
        host, port = server.url.removeprefix("http://").split(":")
        with (
            socket.create_connection((host, int(port)), timeout=20) as connection,
            connection.makefile("rb") as answers,
        ):
            yield Caller(server, connection, answers)

    return connect


@pytest.fixture
def known(ask):
    """The server has seen the user's token a moment ago."""
    assert ask("GET", "/api/v1/tasks").status_code == 200


@pytest.mark.usefixtures("known")
def test_one_connection_carries_many_requests_also_after_a_refusal(call):
    with call() as caller:
        for method, path, body, status in (
            ("POST", "/api/v1/tasks", GOOD, 201),
            ("POST", "/api/v1/tasks", b"{", 400),
            ("GET", "/api/v1/tasks/x", b"", 404),
            ("PATCH", "/api/v1/tasks", b"{}", 405),
            ("GET", "/api/v1/tasks", b"", 200),
        ):
            caller.send(method, path, body)
            assert caller.answer()[0] == status


def test_requests_sent_without_waiting_are_answered_in_their_order(call):
    with call() as caller:
        for path in ("/api/v1/tasks", "/healthz", "/api/v1/nothing", "/readyz"):
            caller.send("GET", path)
        bodies = [caller.answer()[2] for _ in range(3)]
    assert [b'"tasks"' in bodies[0], b'"ok"' in bodies[1], b"not_found" in bodies[2]] == [True] * 3


@pytest.mark.usefixtures("known")
def test_a_method_that_an_address_has_not_is_refused_with_those_it_has(call):
    with call() as caller:
        caller.send("PUT", "/api/v1/tasks", b"{}")
        status, headers, _ = caller.answer()
        assert (status, headers["Allow"]) == (405, "GET, POST")
        caller.send("OPTIONS", "/api/v1/tokens/x")
        status, headers, _ = caller.answer()
        assert (status, headers["Allow"]) == (405, "DELETE")


@pytest.mark.usefixtures("known")
def test_the_answer_to_head_has_no_body(call):
    with call() as caller:
        caller.send("HEAD", "/api/v1/tasks")
        status, headers, _ = caller.answer(has_body=False)
        assert (status, int(headers["Content-Length"]) > 0) == (405, True)
        caller.send("GET", "/healthz")
        assert caller.answer()[0] == 200


def test_every_answer_says_when_it_was_made(call):
    with call() as caller:
        caller.send("GET", "/healthz")
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", caller.answer()[1]["Date"])


def test_an_answer_without_content_says_nothing_of_its_length(call, lease, ask):
    assert ask("POST", f"/api/v1/tasks/{lease.task.id}/cancel").status_code == 200
    with call() as caller:
        caller.send("POST", "/api/v1/tasks", GOOD)
        task = caller.answer()[1]["Location"]
        caller.send("POST", f"{task}/cancel")
        assert caller.answer()[0] == 200
        caller.send("DELETE", task)
        status, headers, _ = caller.answer()
        assert status == 204
        assert not headers.keys() & {"Content-Length", "Content-Type", "Transfer-Encoding"}
        caller.send("GET", task)
        assert caller.answer()[0] == 404


def test_an_old_caller_is_served_once_unless_it_asks_for_more(call):
    with call() as caller:
        caller.send("GET", "/healthz", version="1.0", headers="Connection: keep-alive\r\n")
        assert caller.answer()[1]["Connection"] == "Keep-Alive"
        caller.send("GET", "/healthz", version="1.0")
        assert caller.answer()[0] == 200
        assert caller.is_closed()


def test_a_caller_that_waits_to_be_asked_for_its_body_is_asked_once_it_is_known(call):
    with call() as caller:
        caller.send("POST", "/api/v1/tasks", headers="Content-Length: 19\r\nExpect: 100-continue\r\n")
        assert caller.answer()[0] == 100
        caller.send_raw(GOOD)
        assert caller.answer()[0] == 201


def test_a_stranger_that_waits_to_be_asked_for_its_body_is_refused(call):
    with call() as caller:
        caller.send(
            "POST", "/api/v1/tasks", headers="Content-Length: 60000\r\nExpect: 100-continue\r\n", known=False
        )
        assert caller.answer()[0] == 401
        assert caller.is_closed()


@pytest.mark.parametrize("hosts", ["", "Host: a, b\r\n", "Host: a\r\nHost: b\r\n"])
def test_a_request_for_no_host_or_for_two_is_not_well_formed(call, hosts):
    with call() as caller:
        caller.send_raw(f"GET /healthz HTTP/1.1\r\n{hosts}\r\n".encode())
        assert caller.answer()[0] == 400
        assert caller.is_closed()


async def cannot_be_sent(self):
    self.headers["X-Split"] = "a\r\nb: c"


async def is_no_text(self):
    self.headers["X-Number"] = 5


async def was_cancelled(self):
    raise asyncio.CancelledError


async def went_wrong_in_no_unicode(self):
    raise InvalidRequest("\ud800")


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("get", [cannot_be_sent, is_no_text, was_cancelled])
def test_whatever_goes_wrong_the_caller_is_answered_and_the_connection_goes_on(
    call, monkeypatch, server, wait_until, get
):
    monkeypatch.setattr(Healthz, "get", get)
    with call() as caller:
        caller.send("GET", "/healthz")
        status, headers, _ = caller.answer()
        assert (status, headers.keys() & {"X-Split", "X-Number"}) == (500, set())
        caller.send("GET", "/api/v1/tasks")
        assert caller.answer()[0] == 200
    wait_until(lambda: server.server._services._in_flight == 0)


@pytest.mark.usefixtures("known")
def test_an_error_that_cannot_be_told_closes_the_connection(call, monkeypatch, server, wait_until, caplog):
    monkeypatch.setattr(Healthz, "get", went_wrong_in_no_unicode)
    with call() as caller:
        caller.send("GET", "/healthz")
        assert caller.is_closed()
    wait_until(lambda: server.server._services._in_flight == 0)
    assert "an error cannot be told" in caplog.text


@pytest.mark.usefixtures("known")
def test_nothing_follows_an_answer_that_has_no_content(call, monkeypatch):
    async def get(self):
        self.answer({"a": 1})
        self.status = 204

    monkeypatch.setattr(Healthz, "get", get)
    with call() as caller:
        for _ in range(2):
            caller.send("GET", "/healthz")
            assert caller.answer()[0] == 204


@pytest.mark.usefixtures("known")
def test_an_error_leaves_nothing_of_the_answer_that_was_begun(call, monkeypatch):
    async def get(self):
        self.headers["X-Half"] = "an answer"
        self.send(b"half", "text/plain")
        raise RuntimeError("the other half")

    monkeypatch.setattr(Healthz, "get", get)
    with call() as caller:
        caller.send("GET", "/healthz")
        status, headers, body = caller.answer()
    assert (status, headers["Content-Type"], b"half" in body) == (500, "application/problem+json", False)
    assert "X-Half" not in headers


def test_a_caller_that_breaks_off_is_no_longer_counted(call, server, wait_until):
    with call() as caller:
        caller.send("POST", "/api/v1/inputs", headers="Content-Length: 100000\r\n")
        wait_until(lambda: server.server._services._in_flight == 1)
    wait_until(lambda: server.server._services._in_flight == 0)


@pytest.mark.usefixtures("known")
def test_a_small_body_that_does_not_come_does_not_count_as_being_answered(call, server, ask, wait_until):
    with call() as caller:
        caller.send("POST", "/api/v1/tasks", headers="Content-Length: 100\r\n")
        assert ask("GET", "/healthz").status_code == 200
        wait_until(lambda: server.server._services._in_flight == 0)


def test_a_refusal_before_the_body_says_that_the_connection_ends(call):
    with call() as caller:
        caller.send("GET", "/api/v1/tasks", known=False)
        status, headers, _ = caller.answer()
        assert (status, headers["Connection"]) == (401, "close")
        assert caller.is_closed()


def test_what_was_asked_is_done_though_its_caller_has_gone(call, server, monkeypatch, wait_until):
    done, gone = [], threading.Event()

    def get(store, *arguments):
        gone.wait(20)
        done.append(arguments[0])

    monkeypatch.setattr(search, "get", get)
    with call() as caller:
        caller.send("GET", "/api/v1/tasks/mine")
        wait_until(lambda: server.server._services._in_flight == 1)
    gone.set()
    wait_until(lambda: server.server._services._in_flight == 0)
    assert done == ["mine"]
