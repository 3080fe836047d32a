"""The websocket of events, through Jupyter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.jupyter.cookies import log_in
from tests.jupyter.waiting import eventually
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from gpugen_protocol.request import TaskRequest

EVENTS = ("gpugen", "api", "v1", "events")


async def test_events_arrive_and_a_later_subscription_too(jp_ws_fetch: Any, server: Any) -> None:
    first, second = (server.tasks().submit(TaskRequest(prompt=prompt)).id for prompt in ("a cat", "a dog"))
    socket = await jp_ws_fetch(*EVENTS, params={"task": first, "after": 0})
    snapshot = json.loads(await socket.read_message())
    await socket.write_message(json.dumps({"subscribe": {"task": second, "after": 0}}))
    seen = [json.loads(await socket.read_message()) for _ in range(1)]
    while seen[-1]["task"] != second:
        seen.append(json.loads(await socket.read_message()))
    socket.close()

    assert (snapshot["type"], snapshot["task"]) == ("snapshot", first)
    assert seen[-1]["type"] == "snapshot"


async def test_the_server_s_end_is_the_browser_s_end(jp_ws_fetch: Any, server: Any) -> None:
    task = server.tasks().submit(TaskRequest(prompt="a cat")).id
    socket = await jp_ws_fetch(*EVENTS, params={"task": task})
    await socket.read_message()
    server.stop()
    while await socket.read_message() is not None:
        pass
    assert socket.close_code is not None
    socket.close()


async def test_without_a_server_the_socket_closes_with_the_reason(jp_ws_fetch: Any, server: Any) -> None:
    server.stop()
    socket = await jp_ws_fetch(*EVENTS, params={"task": "*"})

    assert await socket.read_message() is None
    assert socket.close_code == 1013
    assert "does not answer" in socket.close_reason
    socket.close()


async def test_the_browser_s_end_is_ours(jp_ws_fetch: Any, server: Any) -> None:
    task = server.tasks().submit(TaskRequest(prompt="a cat")).id
    socket = await jp_ws_fetch(*EVENTS, params={"task": task})
    await socket.read_message()
    assert server.tasks().stats().watchers == 1
    socket.close()
    await socket.read_message()

    await eventually(lambda: server.tasks().stats().watchers == 0)


async def test_without_jupyter_s_token_there_is_no_socket(
    http_server_client: Any, http_server_port: Any, jp_base_url: str
) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await websocket_connect(
            f"ws://127.0.0.1:{http_server_port[-1]}{jp_base_url}gpugen/api/v1/events?task=*"
        )
    assert caught.value.code == 403


async def test_a_page_of_another_origin_gets_no_socket_with_the_browser_s_cookie(
    http_server_client: Any, http_server_port: Any, jp_base_url: str, jp_serverapp: Any
) -> None:
    cookie = await log_in(http_server_client, jp_base_url, jp_serverapp)
    here = f"127.0.0.1:{http_server_port[-1]}"

    def opened(origin: str) -> Any:
        url = f"ws://{here}{jp_base_url}gpugen/api/v1/events?task=*"
        return websocket_connect(HTTPRequest(url, headers={"Cookie": cookie, "Origin": origin}))

    with pytest.raises(HTTPClientError) as caught:
        await opened("http://elsewhere.example")
    assert caught.value.code == 403
    (await opened(f"http://{here}")).close()


async def test_an_authorizer_that_says_no_is_obeyed(
    jp_ws_fetch: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(jp_serverapp.authorizer), "is_authorized", lambda *_: False)
    with pytest.raises(HTTPClientError) as caught:
        await jp_ws_fetch(*EVENTS, params={"task": "*"})
    assert caught.value.code == 403
