"""Whether a server is there: seen without starting one, waking one, or counting as activity."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gpugen_client.access import connect
from gpugen_jupyter.activity import Activity
from gpugen_jupyter.app import GpugenExtension
from gpugen_protocol import places
from gpugen_protocol.errors import ServerUnreachable
from gpugen_protocol.request import TaskRequest

PRESENCE = ("gpugen", "presence")


async def test_it_counts_what_is_not_finished(jp_fetch: Any, server: Any) -> None:
    server.tasks().submit(TaskRequest(prompt="a cat"))
    answer = await jp_fetch(*PRESENCE)
    assert json.loads(answer.body) == {"private": False, "running": True, "unfinished": 1}


async def test_a_server_that_is_gone_is_no_error(jp_fetch: Any, server: Any) -> None:
    server.stop()
    answer = await jp_fetch(*PRESENCE)
    assert json.loads(answer.body) == {"private": False, "running": False, "unfinished": 0}


async def test_to_look_is_no_use_of_the_server_and_no_activity_of_jupyter(
    jp_fetch: Any, jp_serverapp: Any, server: Any
) -> None:
    used, active = server.server.last_use, jp_serverapp.web_app.settings.get("api_last_activity")
    await jp_fetch(*PRESENCE)
    assert server.server.last_use == used
    assert jp_serverapp.web_app.settings.get("api_last_activity") == active


async def test_unfinished_tasks_are_activity_of_jupyter(jp_serverapp: Any, server: Any) -> None:
    (app,) = (
        app
        for apps in jp_serverapp.extension_manager.extension_apps.values()
        for app in apps
        if isinstance(app, GpugenExtension)
    )
    assert not app.current_activity()
    task = server.tasks().submit(TaskRequest(prompt="a cat")).id
    await app.settings["gpugen_activity"].look()
    assert app.current_activity() == 1
    assert jp_serverapp.extension_manager.any_activity()

    server.tasks().cancel(task)
    await app.settings["gpugen_activity"].look()
    assert not app.current_activity()


@pytest.mark.parametrize(("idle_seconds", "looks"), [(0, False), (600, True)])
async def test_only_a_jupyter_that_ends_by_itself_looks_for_tasks(
    jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch, idle_seconds: int, looks: bool
) -> None:
    started: list[Activity] = []
    monkeypatch.setattr(Activity, "start", lambda self: started.append(self))  # noqa: PLW0108 - a method, to be bound
    jp_serverapp.shutdown_no_activity_timeout = idle_seconds
    await jp_serverapp.extension_manager.start_all_extensions()
    assert bool(started) is looks


class TestInLocalMode:
    @pytest.fixture
    def extension_config(self) -> dict[str, Any]:
        return {}

    async def test_no_server_is_started(self, jp_fetch: Any, tmp_path: Any) -> None:
        answer = await jp_fetch(*PRESENCE)
        assert json.loads(answer.body) == {"private": True, "running": False, "unfinished": 0}
        with pytest.raises(ServerUnreachable):
            connect(start=False)
        assert not places.runtime_file(tmp_path / "data of the user").exists()
