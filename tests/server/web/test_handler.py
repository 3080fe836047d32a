import json
import socket
import threading

import pytest
import requests

from gpugen_protocol.errors import Problem
from gpugen_protocol.request import TaskRequest
from gpugen_server.queue import search
from gpugen_server.web import application
from gpugen_server.web.handler import Handler


def problem(answer):
    assert answer.headers["Content-Type"] == "application/problem+json"
    found = json.loads(answer.content)
    assert found["status"] == answer.status_code
    assert set(found) <= set(Problem.__struct_fields__)
    return found


def test_an_address_that_is_not_there_is_a_problem_document(ask):
    answer = ask("GET", "/api/v1/nothing", "")
    assert (answer.status_code, problem(answer)["code"]) == (404, "not_found")


def test_a_method_that_is_not_there_is_a_problem_document(ask):
    answer = ask("PATCH", "/api/v1/tasks")
    assert (answer.status_code, problem(answer)["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b'{"prompt": "\\ud800"}', ""),
        (b"{}", "prompt"),
        (b'{"prompt": " "}', "prompt"),
        (b'{"prompt": "a", "width": 65}', "width"),
        (b'{"prompt": "a", "steps": 0}', "steps"),
        (b'{"prompt": "a", "n": 17}', "n"),
        (b'{"prompt": "a", "seed": 9007199254740992}', "seed"),
        (b'{"prompt": "a", "guidance": 1e999}', "guidance"),
        (b'{"prompt": "a", "colour": "red"}', "colour"),
        (b'{"prompt": "a", "model": "../etc"}', "model"),
    ],
)
def test_a_bad_body_is_refused_with_the_path_of_the_field(ask, body, path):
    answer = ask("POST", "/api/v1/tasks", data=body)
    found = problem(answer)
    assert (answer.status_code, found["code"]) == (400, "invalid_request")
    assert found.get("errors", [{"path": ""}])[0]["path"] == path


def test_an_unknown_model_is_named_with_those_that_are_near(ask):
    found = problem(ask("POST", "/api/v1/tasks", json={"prompt": "a", "model": "emojy"}))
    assert found["code"] == "unknown_model"
    assert "emoji" in found["hint"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=501", "colour=red", "state=lost", "cursor=x", "q=%ff"]
)
def test_a_bad_query_is_refused(ask, query):
    answer = ask("GET", f"/api/v1/tasks?{query}")
    assert (answer.status_code, problem(answer)["code"]) == (400, "invalid_request")


def test_a_body_that_is_announced_too_large_is_refused_unread(ask):
    answer = ask("POST", "/api/v1/tasks", data=b"x" * 70_000)
    assert (answer.status_code, problem(answer)["code"]) == (413, "body_too_large")


def test_a_body_of_unknown_length_that_grows_too_large_is_refused(ask):
    answer = ask("POST", "/api/v1/tasks", data=iter([b"x" * 40_000, b"x" * 40_000]))
    assert (answer.status_code, problem(answer)["code"]) == (413, "body_too_large")


def test_nothing_is_read_from_strangers(server):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as stranger:
        stranger.sendall(b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        assert stranger.recv(100).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(("length", "status"), [("-5", 400), ("\u0665", 400), ("9" * 5000, 413)])
def test_a_length_that_is_no_number_or_a_monstrous_one_is_refused(server, length, status):
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.user_token}\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as caller:
        caller.sendall(head.encode() + f"Content-Length: {length}\r\n\r\n".encode())
        assert caller.recv(100).startswith(f"HTTP/1.1 {status}".encode())


def test_a_body_in_pieces_from_a_caller_known_already_is_one_request(server, ask):
    assert ask("GET", "/api/v1/tasks").status_code == 200
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.user_token}\r\n"
    body = b'{"prompt": "a cat"}'
    with socket.create_connection((host, int(port)), timeout=10) as caller:
        caller.sendall(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
        assert ask("GET", "/api/v1/tasks").json()["tasks"] == []
        caller.sendall(body[5:])
        assert caller.recv(100).startswith(b"HTTP/1.1 201")


def test_a_revoked_token_is_refused_though_its_body_was_let_in(server, ask):
    made = ask("POST", "/api/v1/tokens", server.make_token("admin", "root"), json={"scope": "user"}).json()
    assert ask("POST", "/api/v1/tasks", made["token"], json={"prompt": "a"}).status_code == 201
    assert (
        ask("DELETE", f"/api/v1/tokens/{made['id']}", server.make_token("admin", "root")).status_code == 204
    )
    assert ask("POST", "/api/v1/tasks", made["token"], json={"prompt": "a"}).status_code == 401


def test_an_unexpected_error_shows_no_inside_and_is_logged(ask, monkeypatch):
    def broken(*_):
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(search, "get", broken)
    answer = ask("GET", "/api/v1/tasks/x")
    assert (answer.status_code, problem(answer)["code"]) == (500, "internal")
    assert b"secret" not in answer.content
    assert b"Traceback" not in answer.content


def test_every_answer_carries_the_security_headers_and_no_server_name(ask):
    for answer in (ask("GET", "/healthz"), ask("GET", "/nothing"), ask("GET", "/api/v1/tasks")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers


def test_forms_are_not_understood(ask):
    answer = ask("POST", "/api/v1/tasks", data={"prompt": "a cat"})
    assert answer.status_code == 400


def limit_pages(server, pages, wait_until):
    """On both connections, the thread's and the event loop's."""

    def limit(store):
        store.rows(f"PRAGMA max_page_count = {pages}")
        return threading.get_ident()

    thread = server.query(limit)
    wait_until(lambda: server.run(server.server.database.run_short(limit)) != thread)


def test_a_full_disk_is_a_507_and_healthy_again_after(server, tasks, ask, wait_until):
    limit_pages(server, server.query(lambda store: store.value("PRAGMA page_count")), wait_until)
    answers = [ask("POST", "/api/v1/tasks", json={"prompt": "x" * 4000}) for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert {answer.status_code for answer in refused} == {507}
    assert problem(refused[0])["code"] == "storage_full"
    assert len(tasks.list(limit=100).tasks) == len(answers) - len(refused)
    limit_pages(server, 1_000_000, wait_until)
    assert tasks.submit(TaskRequest(prompt="a cat")).state == "queued"


def test_the_access_log_knows_method_path_and_user_but_no_query(ask, caplog, wait_until):
    caplog.set_level("INFO")
    ask("GET", "/api/v1/tasks?q=private")
    (record,) = wait_until(lambda: [each for each in caplog.records if each.name == "gpugen_server.access"])
    assert (record.method, record.path, record.status, record.user) == ("GET", "/api/v1/tasks", 200, "local")
    assert "private" not in str(vars(record))


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_body_that_drips_is_cut_off_and_others_are_served_meanwhile(server, ask, monkeypatch, seen_before):
    monkeypatch.setattr(Handler, "body_seconds", 0.5)
    if seen_before:
        assert ask("GET", "/api/v1/tasks").status_code == 200
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.user_token}\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as drip:
        drip.sendall(head.encode() + b"Content-Length: 100\r\n\r\n{")
        assert ask("POST", "/api/v1/tasks", json={"prompt": "a cat"}).status_code == 201
        assert drip.recv(100) == b""


def test_a_body_that_drips_at_the_websockets_address_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(application, "BODY_SECONDS", 0.5)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as drip:
        drip.sendall(b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert drip.recv(100) == b""


def test_a_stranger_cannot_make_the_server_keep_a_large_body(server):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as stranger:
        stranger.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n")
        assert stranger.recv(100).startswith(b"HTTP/1.1 400")


def test_a_form_with_files_is_not_parsed(ask):
    answer = ask("POST", "/api/v1/tasks", files={"prompt": b"x" * 1000})
    assert (answer.status_code, problem(answer)["code"]) == (400, "invalid_request")


def test_a_user_who_submits_too_fast_is_told_when_to_go_on_and_others_are_not_held_up(make_server):
    server = make_server(submits_per_minute=3)

    def submit(token):
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{server.url}/api/v1/tasks", json={"prompt": "a"}, headers=headers, timeout=10)

    answers = [submit(server.user_token) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
    assert submit(server.make_token("user", "ann")).status_code == 201


def test_a_submit_that_is_sent_again_is_answered_however_many_came_before_and_counts_for_none(make_server):
    server = make_server(submits_per_minute=2)

    def submit(key):
        headers = {"Authorization": f"Bearer {server.user_token}", "Idempotency-Key": key}
        return requests.post(f"{server.url}/api/v1/tasks", json={"prompt": "a"}, headers=headers, timeout=10)

    keys = ["first", "first", "first", "second", "third", "first", "fourth"]
    answers = [submit(key) for key in keys]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 201, 429, 200, 429]
    assert (
        len({answer.json()["id"] for key, answer in zip(keys, answers, strict=True) if key == "first"}) == 1
    )


def test_behind_a_proxy_the_callers_are_told_apart_by_its_word_alone(make_server):
    server = make_server(proxies="127.0.0.1")

    def guess(caller):
        headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": caller}
        return requests.get(f"{server.url}/api/v1/tasks", headers=headers, timeout=10).status_code

    assert {guess("203.0.113.5") for _ in range(60)} == {401}
    assert 429 in {guess("203.0.113.5") for _ in range(60)}  # a slow machine gains a guess a second
    assert guess("203.0.113.6") == 401
