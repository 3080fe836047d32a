"""Tokens over HTTP: who may make, see and revoke which."""

import json

import pytest

from gpugen_client.claims import WorkerApi
from gpugen_protocol.errors import Unauthorized
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, SessionRequest
from gpugen_server.tokens import keeper

TOKENS = "/api/v1/tokens"


@pytest.fixture
def admin(server):
    return server.make_token("admin", "boss")


def make(ask, token, **asked):
    answer = ask("POST", TOKENS, token, json=asked)
    return answer.status_code, answer.json()


def opened(ask, token):
    return ask("GET", "/api/v1/tasks", token).status_code == 200


def register(server, token):
    api = WorkerApi(server.url, token)
    api.open_session(SessionRequest(name="w", version="0.1.0"))
    return api


def test_an_admin_makes_tokens_for_anybody(ask, server, admin):
    for scope, user in (("user", "ann"), ("worker", "gpus"), ("admin", "boss")):
        status, made = make(ask, admin, scope=scope, user=user, name="n", expires_in=60)
        assert (status, made["scope"], made["user"]) == (201, scope, user)
        assert made["expires_at"]
    assert register(server, make(ask, admin, scope="worker")[1]["token"])


def test_a_user_makes_tokens_of_their_own_that_end_with_the_first(ask, server, admin):
    first = make(ask, admin, user="ann", expires_in=3600)[1]
    status, second = make(ask, first["token"], name="laptop")
    assert (status, second["user"], second["scope"]) == (201, "ann", "user")
    assert second["expires_at"] <= first["expires_at"]
    assert opened(ask, second["token"])
    ask("DELETE", f"{TOKENS}/{first['id']}", first["token"])
    assert not opened(ask, second["token"])


@pytest.mark.parametrize("asked", [{"scope": "admin"}, {"scope": "worker"}, {"user": "bob"}])
def test_a_user_makes_nothing_that_can_do_more(ask, asked):
    status, problem = make(ask, None, **asked)
    assert (status, problem["code"]) == (403, "forbidden")


def test_a_token_that_another_has_made_makes_no_more(ask):
    made = make(ask, None)[1]["token"]
    assert make(ask, made)[0] == 403


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"scope": "root"}, "scope"),
        ({"user": "a b"}, "user"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": 1e300}, "expires_in"),
        ({"one_time": True}, "one_time"),
        ({"colour": "red"}, "colour"),
        ({"name": "x" * 201}, "name"),
    ],
)
def test_a_bad_wish_is_refused_with_the_path_of_the_field(ask, admin, asked, path):
    status, problem = make(ask, admin, **asked)
    assert (status, problem["errors"][0]["path"]) == (400, path)


def test_a_user_sees_and_revokes_only_their_own_and_an_admin_all(ask, server, admin):
    bob = make(ask, admin, user="bob")[1]
    mine = {token["user"] for token in ask("GET", TOKENS).json()["tokens"]}
    everybody = {token["user"] for token in ask("GET", TOKENS, admin).json()["tokens"]}
    assert mine == {"local"}
    assert {"local", "bob", "boss", "workers"} <= everybody
    assert ask("DELETE", f"{TOKENS}/{bob['id']}").status_code == 404
    assert opened(ask, bob["token"])
    assert ask("DELETE", f"{TOKENS}/{bob['id']}", admin).status_code == 204
    assert not opened(ask, bob["token"])


def test_whoever_has_the_name_of_an_admin_or_of_the_workers_does_not_reach_their_tokens(ask, server, admin):
    theirs = [make(ask, admin, user="gpus", scope=scope)[1]["id"] for scope in ("worker", "admin")]
    user = server.make_token("user", "gpus")
    assert [one["scope"] for one in ask("GET", TOKENS, user).json()["tokens"]] == ["user"]
    assert [ask("DELETE", f"{TOKENS}/{id}", user).status_code for id in theirs] == [404, 404]


def test_a_token_that_another_has_made_ends_itself_and_no_other(ask, server):
    second, third = make(ask, None)[1], make(ask, None)[1]
    assert ask("DELETE", f"{TOKENS}/{third['id']}", second["token"]).status_code == 403
    assert opened(ask, third["token"])
    assert ask("DELETE", f"{TOKENS}/{second['id']}", second["token"]).status_code == 204
    assert not opened(ask, second["token"])


def test_the_text_of_a_token_is_never_shown_again(ask, admin):
    text = make(ask, admin, user="ann")[1]["token"]
    assert text not in ask("GET", TOKENS, admin).text


def test_one_user_has_a_hundred_tokens_at_most(ask, server):
    server.query(lambda store: [keeper.create(store, "user", "local") for _ in range(99)])
    status, problem = make(ask, None)
    assert (status, problem["code"]) == (429, "too_many_requests")


def test_revoking_a_registration_token_ends_its_sessions_and_their_leases(
    ask, server, admin, tasks, wait_until
):
    made = make(ask, admin, scope="worker")[1]
    api = register(server, made["token"])
    task = tasks.submit(TaskRequest(prompt="a cat"))
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    assert ask("DELETE", f"{TOKENS}/{made['id']}", admin).status_code == 204
    with pytest.raises(Unauthorized):
        api.report(lease.id)
    (again,) = wait_until(lambda: server.worker().claim(ClaimRequest(wait_seconds=1)))
    assert (again.task.id, again.task.attempt) == (task.id, 2)


def test_a_one_time_token_serves_one_worker(ask, server, admin):
    token = make(ask, admin, scope="worker", one_time=True)[1]["token"]
    lost = register(server, token)  # whose answer, let us say, never arrived
    api = register(server, token)
    api.claim(ClaimRequest(wait_seconds=0))
    with pytest.raises(Unauthorized):
        register(server, token)
    with pytest.raises(Unauthorized):
        lost.claim(ClaimRequest(wait_seconds=0))
    assert api.claim(ClaimRequest(wait_seconds=0)) == ()


def test_a_worker_that_only_waits_gets_a_fresh_session_before_the_old_one_ends(server, monkeypatch):
    monkeypatch.setattr(keeper, "SESSION_SECONDS", 900.0)  # already past half of what the answers go by
    api = server.worker()
    first = api._connection.token
    api.claim(ClaimRequest(wait_seconds=0))
    assert api._connection.token != first
    assert api.claim(ClaimRequest(wait_seconds=0)) == ()


def test_tokens_appear_in_no_log(ask, server, admin, caplog, wait_until):
    caplog.set_level("DEBUG")
    made = make(ask, admin, user="ann")[1]["token"]
    ask("GET", f"/api/v1/tasks?token={made}", made)
    ask("GET", "/api/v1/tasks", f"{made}x")

    def ours():  # a request is logged once it has been answered
        return [each for each in caplog.records if each.name.startswith(("gpugen", "tornado"))]

    wait_until(lambda: len(ours()) >= 3)
    seen = json.dumps([str(vars(record)) for record in ours()])
    assert made not in seen
    assert admin not in seen


def test_the_name_of_a_token_cannot_steer_the_terminal_of_whoever_lists_it(ask, admin):
    make(ask, None, name="a\x1b[2Jb\u202e\nroot")
    assert "ab root" in [one["name"] for one in ask("GET", TOKENS, admin).json()["tokens"]]
