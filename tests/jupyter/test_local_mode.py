"""With no server named, kernel, panel and scripts meet at the private one, as one user."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.fakes import until

from gpugen_client.access import connect
from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol import places

API = ("gpugen", "api", "v1")


@pytest.fixture
def extension_config(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """It names no server. What the model draws is not the subject."""
    monkeypatch.setenv("GPUGEN_GENERATOR", "fake")
    return {}


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """The data directory; the private server in it is ended afterwards."""
    folder = Path(os.environ["GPUGEN_DATA_DIR"])
    yield folder
    if places.runtime_file(folder).exists():
        end_server(folder)


def end_server(data: Path) -> None:
    server = psutil.Process(json.loads(places.runtime_file(data).read_text(encoding="utf-8"))["pid"])
    server.terminate()
    server.wait(30)


async def test_kernels_know_the_server_before_it_runs_and_after_it_was_replaced(
    jp_serverapp: Any, jp_fetch: Any, data: Path
) -> None:
    env = jp_serverapp.session_manager.get_kernel_env("a.ipynb")
    assert not places.runtime_file(data).exists()

    body = json.dumps({"prompt": "a cat", "model": "emoji"})
    from_the_panel = json.loads((await jp_fetch(*API, "tasks", method="POST", body=body)).body)
    token = await asyncio.to_thread(Path(env["GPUGEN_TOKEN_FILE"]).read_text)
    script = Tasks(Connection(env["GPUGEN_URL"], token))  # knows what any HTTP client could know
    assert (await asyncio.to_thread(script.get, from_the_panel["id"])).user == "local"

    await asyncio.to_thread(end_server, data)
    until(lambda: not places.runtime_file(data).exists(), 30)
    magic = Tasks(await asyncio.to_thread(connect, environ=env))
    assert magic.connection.url == env["GPUGEN_URL"]
    assert (await asyncio.to_thread(magic.get, from_the_panel["id"])).id == from_the_panel["id"]
