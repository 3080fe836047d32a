"""The browser's requests, through Jupyter, to a real gpugen server; the base URL is `/a%40b/`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gcs import FakeCloud
from tests.jupyter.cookies import log_in
from tornado.httpclient import HTTPClientError

from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion

API = ("gpugen", "api", "v1")


def draw(server: Any, png: bytes) -> str:
    """The id of a task that has one finished image."""
    task = server.tasks().submit(TaskRequest(prompt="a cat", width=64, height=64, steps=1))
    worker = server.worker("emoji")
    (lease,) = worker.claim(ClaimRequest(wait_seconds=5, models=("emoji",)))
    worker.upload(lease.id, 0, png)
    worker.complete(lease.id, Completion())
    return str(task.id)


async def refused(call: Any) -> tuple[int, dict[str, Any]]:
    """Status and, if it is JSON, body of an answer that is an error."""
    with pytest.raises(HTTPClientError) as caught:
        await call
    response = caught.value.response
    is_json = "json" in response.headers.get("Content-Type", "")
    return caught.value.code, json.loads(response.body) if is_json else {}


async def test_a_task_is_submitted_and_listed(jp_fetch: Any, server: Any) -> None:
    answer = await jp_fetch(*API, "tasks", method="POST", body=json.dumps({"prompt": "a cat"}))
    listed = await jp_fetch(*API, "tasks", params={"limit": "5"})

    assert answer.code == 201
    (task,) = json.loads(listed.body)["tasks"]
    assert task["id"] == json.loads(answer.body)["id"]
    assert task["request"]["prompt"] == "a cat"
    assert server.tasks().get(task["id"]).user == "local"


async def test_the_idempotency_key_and_the_query_arrive(jp_fetch: Any, server: Any) -> None:
    for _ in range(2):
        await jp_fetch(
            *API,
            "tasks",
            method="POST",
            body=json.dumps({"prompt": "a cat"}),
            headers={"Idempotency-Key": "one-and-the-same"},
        )
    await jp_fetch(*API, "tasks", method="POST", body=json.dumps({"prompt": "a dog"}))
    listed = await jp_fetch(*API, "tasks", params={"limit": "1"})

    assert len(server.tasks().list().tasks) == 2
    assert len(json.loads(listed.body)["tasks"]) == 1


async def test_an_image_comes_whole_with_its_headers(jp_fetch: Any, server: Any, png: Any) -> None:
    picture = png(64, 64)
    task = draw(server, picture)
    answer = await jp_fetch(*API, "tasks", task, "images", "0")

    assert answer.body == server.tasks().image(task, 0)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (
        answer.headers["ETag"]
        == server.tasks().connection.send("GET", f"/api/v1/tasks/{task}/images/0").headers["ETag"]
    )


async def test_a_task_is_canceled_retried_and_removed(jp_fetch: Any, server: Any) -> None:
    task = server.tasks().submit(TaskRequest(prompt="a cat")).id
    canceled = await jp_fetch(*API, "tasks", task, "cancel", method="POST", body="")
    retried = await jp_fetch(*API, "tasks", task, "retry", method="POST", body="")
    await jp_fetch(*API, "tasks", task, method="DELETE")

    assert json.loads(canceled.body)["state"] == "canceled"
    assert json.loads(retried.body)["retry_of"] == task
    assert [found.id for found in server.tasks().list().tasks] == [json.loads(retried.body)["id"]]


@pytest.mark.parametrize("what", ["models", "workers", "stats"])
async def test_what_a_panel_shows_can_be_asked_for(jp_fetch: Any, what: str) -> None:
    assert (await jp_fetch(*API, what)).code == 200


async def test_a_problem_of_the_server_is_passed_through(jp_fetch: Any) -> None:
    code, problem = await refused(jp_fetch(*API, "tasks", method="POST", body=json.dumps({"prompt": ""})))

    assert (code, problem["code"]) == (400, "invalid_request")
    assert problem["errors"][0]["path"] == "prompt"


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (("worker", "sessions"), "POST"),
        (("worker", "claims"), "POST"),
        (("tokens",), "GET"),
        (("tokens",), "POST"),
        (("tasks", "..", "tokens"), "GET"),
        (("tasks", "%2e%2e%2ftokens"), "GET"),
    ],
)
async def test_a_worker_s_and_an_admin_s_addresses_cannot_be_reached(
    jp_fetch: Any, path: tuple[str, ...], method: str
) -> None:
    code, _ = await refused(jp_fetch(*API, *path, method=method, body="{}" if method == "POST" else None))
    assert code == 404


async def test_a_method_that_is_not_passed_on_is_refused(jp_fetch: Any) -> None:
    code, _ = await refused(jp_fetch(*API, "models", method="POST", body="{}"))
    assert code == 405


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_without_jupyter_s_token_nothing_is_answered(
    http_server_client: Any, jp_base_url: str, server: Any, method: str
) -> None:
    code, _ = await refused(
        http_server_client.fetch(
            f"{jp_base_url}gpugen/api/v1/tasks", method=method, body="{}" if method == "POST" else None
        )
    )
    assert code == 403
    assert not server.tasks().list().tasks


async def test_a_cookie_alone_submits_nothing_and_with_jupyter_s_xsrf_token_it_does(
    http_server_client: Any, jp_base_url: str, jp_serverapp: Any, server: Any
) -> None:
    cookie = f"{await log_in(http_server_client, jp_base_url, jp_serverapp)}; _xsrf=a-secret"

    def submit(**headers: str) -> Any:
        url = f"{jp_base_url}gpugen/api/v1/tasks"
        headers |= {"Cookie": cookie}
        return http_server_client.fetch(url, method="POST", body='{"prompt": "a cat"}', headers=headers)

    code, _ = await refused(submit())
    assert code == 403
    assert not server.tasks().list().tasks
    assert (await submit(**{"X-XSRFToken": "a-secret"})).code == 201


async def test_an_authorizer_that_says_no_is_obeyed(
    jp_fetch: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def refuse(self: Any, handler: Any, user: Any, action: str, resource: str) -> bool:
        asked.append((action, resource))
        return False

    monkeypatch.setattr(type(jp_serverapp.authorizer), "is_authorized", refuse)
    code, _ = await refused(jp_fetch(*API, "tasks"))

    assert code == 403
    assert asked == [("read", "gpugen")]


async def test_jupyter_s_own_token_does_not_travel_on(jp_fetch: Any, jp_serverapp: Any, server: Any) -> None:
    answer = await jp_fetch(
        *API, "tasks", params={"token": jp_serverapp.identity_provider.token, "_xsrf": "x"}
    )
    assert answer.code == 200  # the server refuses parameters it does not know


async def test_polling_does_not_keep_jupyter_alive(jp_fetch: Any, jp_serverapp: Any) -> None:
    before = jp_serverapp.web_app.settings.get("api_last_activity")
    await jp_fetch(*API, "tasks")
    assert jp_serverapp.web_app.settings.get("api_last_activity") == before

    await jp_fetch(*API, "tasks", method="POST", body=json.dumps({"prompt": "a cat"}))
    assert jp_serverapp.web_app.settings.get("api_last_activity") != before


async def test_a_body_that_is_too_large_is_refused_here(jp_fetch: Any, server: Any) -> None:
    code, problem = await refused(jp_fetch(*API, "tasks", method="POST", body="x" * (1 << 20) + "x"))
    assert (code, problem["code"]) == (413, "body_too_large")


async def test_a_server_that_is_gone_is_one_sentence_and_503(jp_fetch: Any, server: Any) -> None:
    await jp_fetch(*API, "tasks")
    server.stop()
    code, problem = await refused(jp_fetch(*API, "tasks"))

    assert (code, problem["code"]) == (503, "unavailable")
    assert server.url in problem["detail"]
    assert "gpugen doctor" in problem["hint"]


async def test_a_server_that_comes_back_is_used_again(jp_fetch: Any, server: Any) -> None:
    await jp_fetch(*API, "tasks")
    server.restart()
    assert (await jp_fetch(*API, "tasks")).code == 200


class TestWithAWrongToken:
    @pytest.fixture
    def extension_config(self, server: Any) -> dict[str, Any]:
        return {"url": server.url, "token": "gg_wrong"}

    async def test_it_is_not_the_browser_that_is_not_logged_in(self, jp_fetch: Any) -> None:
        code, problem = await refused(jp_fetch(*API, "tasks"))
        assert (code, problem["code"]) == (503, "unauthorized")


async def test_a_group_is_looked_up_and_canceled(jp_fetch: Any, server: Any) -> None:
    for prompt in ("a cat", "a dog"):
        server.tasks().submit(TaskRequest(prompt=prompt, group="pets"))
    looked = json.loads((await jp_fetch(*API, "groups", "pets")).body)
    canceled = await jp_fetch(*API, "groups", "pets", "cancel", method="POST", body="")

    assert looked["total"] == 2
    assert json.loads(canceled.body)["finished"]


async def test_an_image_to_start_from_may_be_larger_than_other_bodies(
    jp_fetch: Any, server: Any, png: Any
) -> None:
    picture = png(64, 64)
    answer = await jp_fetch(
        *API, "inputs", method="POST", body=picture, headers={"Content-Type": "image/png"}
    )
    assert json.loads(answer.body)["width"] == 64

    code, _ = await refused(jp_fetch(*API, "inputs", method="POST", body=b"x" * (2 << 20)))
    assert code == 422  # the server has read it, and found that it is no image


async def test_another_user_s_task_is_not_there(jp_fetch: Any, server: Any) -> None:
    stranger = server.tasks(server.make_token("user", "stranger"))
    task = stranger.submit(TaskRequest(prompt="a secret")).id

    code, problem = await refused(jp_fetch(*API, "tasks", task))
    listed = await jp_fetch(*API, "tasks")

    assert (code, problem["code"]) == (404, "not_found")
    assert json.loads(listed.body)["tasks"] == []


class TestWithImagesInABucket:
    @pytest.fixture
    def cloud(self, tmp_path: Path) -> Iterator[FakeCloud]:
        found = FakeCloud(tmp_path)
        yield found
        found.stop()

    @pytest.fixture
    def server(self, make_server: Callable[..., Any], cloud: FakeCloud) -> Any:
        return make_server(storage=cloud.bucket())

    async def test_the_browser_gets_the_image_itself_and_needs_no_way_to_the_bucket(
        self, jp_fetch: Any, server: Any, cloud: FakeCloud, png: Any
    ) -> None:
        task = draw(server, png(64, 64))
        assert any("/images/" in key for key in cloud.objects())

        answer = await jp_fetch(*API, "tasks", task, "images", "0", follow_redirects=False)

        assert (answer.code, answer.headers["Content-Type"]) == (200, "image/png")
        assert answer.body[:4] == b"\x89PNG"
