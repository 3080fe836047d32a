"""Who may go where: every route with every kind of token."""

import re

import pytest

from gpugen_protocol.request import TaskRequest
from gpugen_protocol.tokens import LOCAL_USER
from gpugen_server import tokens
from gpugen_server.queue import ids
from gpugen_server.web.endpoint import Endpoint
from gpugen_server.web.handler import Handler, Missing
from gpugen_server.web.routes import ROUTES

PUBLIC = {"/healthz", "/readyz", "/openapi.json", "/docs"}
CALLS = [(method, route) for route in ROUTES for method in route.calls]
HOLES = re.compile(r"\{(\w+)\}")
NAMES = [f"{method} {route.path.template}" for method, route in CALLS]
MAY = {
    "user": {"user"},
    "admin": {"user", "admin"},
    "worker": {"registration"},
    "session": {"session"},
    "none": set(),
    "wrong": set(),
    "expired": set(),
    "revoked": set(),
}


@pytest.fixture
def the_tokens(server):
    session = server.worker()._connection.token
    revoked = server.make_token("admin")
    server.sql("UPDATE tokens SET revoked_at = 1 WHERE created_at = (SELECT max(created_at) FROM tokens)")
    return {
        "user": server.user_token,
        "admin": server.make_token("admin"),
        "worker": server.worker_token,
        "session": session,
        "none": "",
        "wrong": server.user_token[:-1] + "!",
        "expired": server.make_token("admin", expires_in=-1.0),
        "revoked": revoked,
    }


@pytest.mark.parametrize(("method", "route"), CALLS, ids=NAMES)
def test_a_route_is_open_to_its_own_scope_and_to_nobody_else(ask, the_tokens, method, route):
    path = re.sub(r"\{\w+\}", ids.ulid(), route.path.template)
    for kind, token in the_tokens.items():
        answer = ask(method, path, token)
        if route.path.template in PUBLIC or route.handler.role in MAY[kind]:
            assert answer.status_code not in (401, 403), kind
        else:
            assert answer.status_code == (403 if MAY[kind] else 401), kind
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)


def test_the_running_application_has_the_routes_of_the_table_and_no_other(server):
    site = server.server._http.request_callback
    assert site.routes == ROUTES
    for route in ROUTES:
        names = HOLES.findall(route.path.template)
        assert site.find(route.path(**dict.fromkeys(names, "a/ö"))) == (
            route.handler,
            dict.fromkeys(names, "a/ö"),
        )


@pytest.mark.parametrize(
    "path", ["/api/v1/tasks/", "/api/v1/tasks/%ff", "/api/v1/tasks/a/b", "/healthz\n", "", "*"]
)
def test_what_is_no_address_of_the_table_is_missing(server, path):
    assert server.server._http.request_callback.find(path) == (Missing, {})


@pytest.fixture
def drawn(worker_api, lease, png):
    """A lease whose first image is there."""
    worker_api.upload(lease.id, 0, png(64, 64))
    return lease


OTHERS = [
    (method, route)
    for method, route in CALLS
    if route.path.template.count("{id}") and route.handler.role == "user"
]


@pytest.mark.parametrize(
    ("method", "route"), OTHERS, ids=[f"{method} {route.path.template}" for method, route in OTHERS]
)
def test_what_is_somebody_elses_does_not_exist(ask, server, drawn, method, route):
    lease, tasks = drawn, server.tasks()
    token = server.query(tokens.listing, LOCAL_USER)[0].id
    group = tasks.submit(TaskRequest(prompt="a", group="ours")).group
    ids_ = {"tasks": lease.task.id, "groups": group, "tokens": token}
    there = ids_[route.path.template.split("/")[3]]
    path = route.path(
        **{hole: 0 if hole == "index" else there for hole in HOLES.findall(route.path.template)}
    )
    stranger = server.make_token("user", "stranger")
    before = ask("GET", f"/api/v1/tasks/{lease.task.id}").json()
    assert ask(method, path, stranger).status_code == 404
    assert ask(method, path, server.worker()._connection.token).status_code == 403
    after = ask("GET", f"/api/v1/tasks/{lease.task.id}").json()
    assert (after["state"], after["images"]) == (before["state"], before["images"])


def test_a_websocket_tells_nothing_of_somebody_elses_task(ask, server, lease):
    stranger = server.make_token("user", "stranger")
    assert ask("GET", f"/api/v1/events?task={lease.task.id}", stranger).status_code == 404


def test_only_health_and_the_description_are_public():
    assert {route.path.template for route in ROUTES if route.handler.role == "public"} == PUBLIC


def test_a_handler_that_declares_no_role_is_closed():
    assert Endpoint.role is None
    assert Handler.role is None
    assert all(route.handler.role is not None for route in ROUTES)


def test_a_token_in_the_query_opens_nothing(ask, server):
    assert ask("GET", f"/api/v1/tasks?token={server.user_token}", "").status_code == 401


def test_every_address_of_the_protocol_has_a_handler():
    from gpugen_protocol import paths

    spelt = {path.template for path in vars(paths).values() if isinstance(path, paths.Path)}
    assert spelt == {route.path.template for route in ROUTES}
