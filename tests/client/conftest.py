"""Servers for the client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.client.scripted_server import ScriptedServer

from gpugen_client.connection import Connection
from gpugen_client.updates import Updates


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A scripted server that runs."""
    server = ScriptedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def updates(scripted: ScriptedServer) -> Iterator[Updates]:
    """Updates from the scripted server."""
    following = Updates(Connection(scripted.url, "token", retries=0))
    yield following
    following.close()
