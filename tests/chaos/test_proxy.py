"""The proxy between a real client and a real server: each fault is what it is said to be."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.history import Entry, History, read
from tests.chaos.proxy import Proxy
from tests.chaos.weather import Fault, Weather

from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol.errors import ServerUnreachable
from gpugen_protocol.request import TaskRequest

Through = Callable[..., AbstractContextManager[Tasks]]


class Always(Weather):
    """One fault for every request."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(random.Random(0), 0.0)
        self._always = fault

    def fault(self, path: str) -> Fault:
        return self._always


@pytest.fixture
def through(server: Any, tmp_path: Path) -> Through:
    """Gives the user's side of `server` behind a proxy that always does the same to requests."""

    @contextmanager
    def make(kind: Any, seconds: float = 0.0) -> Iterator[Tasks]:
        with History(tmp_path / "history") as history, Proxy(Always(Fault(kind, seconds)), history) as proxy:
            proxy.target = server.server.port
            yield Tasks(Connection(proxy.url, server.user_token, retries=0))

    return make


def noted(tmp_path: Path) -> list[tuple[str, int]]:
    entries: list[Entry] = read(tmp_path / "history")
    return [(entry["fault"], entry["status"]) for entry in entries]


@pytest.mark.parametrize("kind", ["none", "late", "slow", "half-open"])
def test_what_is_only_late_arrives(through: Through, tmp_path: Path, server: Any, kind: str) -> None:
    with through(kind, 0.05) as tasks:
        task = tasks.submit(TaskRequest(prompt="a cat"))
        assert tasks.get(task.id).id == task.id
    assert noted(tmp_path) == [(kind, 201), (kind, 200)]


def test_a_lost_answer_is_one_to_a_request_that_the_server_has_done(
    through: Through, tmp_path: Path, server: Any
) -> None:
    with through("lost") as tasks, pytest.raises(ServerUnreachable):
        tasks.submit(TaskRequest(prompt="a cat"))
    assert noted(tmp_path) == [("lost", 201)]
    assert len(server.tasks().list().tasks) == 1


def test_a_refused_request_never_arrives(through: Through, tmp_path: Path, server: Any) -> None:
    with through("refuse") as tasks, pytest.raises(ServerUnreachable):
        tasks.submit(TaskRequest(prompt="a cat"))
    assert noted(tmp_path) == []
    assert server.tasks().list().tasks == ()
