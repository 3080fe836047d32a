"""A gpugen server that is slow, or sends much: an image passes through, it is not kept."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from gpugen_jupyter import routes
from gpugen_jupyter.proxy import Way
from gpugen_protocol import paths

MIB = 1 << 20
IMAGE = 50 * MIB
CHUNK = 256 * 1024
SLACK = 25 * MIB  # half an image: whoever kept it whole would need all of it


class Large(RequestHandler):
    async def get(self, **_: str) -> None:
        self.set_header("Content-Type", "image/png")
        self.set_header("Content-Length", str(IMAGE))
        for _ in range(IMAGE // CHUNK):
            self.write(b"x" * CHUNK)
            await self.flush()


class Silent(RequestHandler):
    async def get(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def upstream() -> Iterator[str]:
    """Not a gpugen server: one that does what a real one should not. It has a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[HTTPServer, int]:
        listening, port = bind_unused_port()
        server = HTTPServer(Application([(paths.TASK_IMAGE.regex, Large), (paths.WORKERS.regex, Silent)]))
        server.add_socket(listening)
        return server, port

    async def stop(server: HTTPServer) -> None:
        server.stop()
        for waiting in asyncio.all_tasks() - {asyncio.current_task()}:
            waiting.cancel()
        await server.close_all_connections()

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield f"http://127.0.0.1:{port}"
    asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def extension_config(upstream: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    impatient = tuple(
        Way(path=way.path, methods=way.methods, seconds=0.3) if way.path is paths.WORKERS else way
        for way in routes.PASSED_ON
    )
    monkeypatch.setattr(routes, "PASSED_ON", impatient)
    return {"url": upstream, "token": "t"}


async def test_an_image_of_50_mb_passes_through_in_bounded_memory(
    jp_serverapp: Any, http_server_client: AsyncHTTPClient, jp_base_url: str
) -> None:
    process = psutil.Process()
    received, highest = 0, 0
    before = process.memory_info().rss

    def take(chunk: bytes) -> None:
        nonlocal received, highest
        received += len(chunk)
        highest = max(highest, process.memory_info().rss)

    token = jp_serverapp.identity_provider.token
    http_server_client.max_body_size = 2 * IMAGE  # type: ignore[attr-defined]
    answer = await http_server_client.fetch(
        f"{jp_base_url}gpugen/api/v1/tasks/a/images/0",
        headers={"Authorization": f"token {token}"},
        streaming_callback=take,
        request_timeout=60,
    )

    assert received == IMAGE
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Length"] == str(IMAGE)
    assert highest - before < SLACK


async def test_a_server_that_does_not_answer_is_one_sentence_and_503(jp_fetch: Any, upstream: str) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("gpugen", "api", "v1", "workers")
    problem = json.loads(caught.value.response.body)  # type: ignore[union-attr]

    assert (caught.value.code, problem["code"]) == (503, "unavailable")
    assert upstream in problem["detail"]
