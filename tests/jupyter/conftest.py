"""A real Jupyter Server with the extension, in front of a real gpugen server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 - as a plugin it would hold for all folders

_MINE = ("GPUGEN_URL", "GPUGEN_TOKEN", "GPUGEN_TOKEN_FILE", "GPUGEN_CONFIG", "GPUGEN_DATA_DIR")


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Any) -> Iterator[None]:
    """The extension writes to this process's environment: put it back, and start without this user's."""
    before = dict(os.environ)
    for name in _MINE:
        os.environ.pop(name, None)
    os.environ["GPUGEN_DATA_DIR"] = str(tmp_path / "data of the user")
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def own_log_names() -> Iterator[None]:
    """A Jupyter server renames tornado's loggers, which belong to the whole process: put the names back."""
    loggers = {
        name: logging.getLogger(name) for name in ("tornado.access", "tornado.application", "tornado.general")
    }
    yield
    for name, logger in loggers.items():
        logger.name = name


@pytest.fixture
def extension_config(server: Any) -> dict[str, Any]:
    """The extension's own configuration: it names `server`."""
    return {"url": server.url, "token": server.user_token}


@pytest.fixture
def jp_server_config(extension_config: dict[str, Any]) -> dict[str, Any]:
    """As strict as Jupyter Server can be: a handler without a check of its own is refused."""
    return {
        "ServerApp": {
            "jpserver_extensions": {"gpugen_jupyter": True},
            "allow_unauthenticated_access": False,
        },
        "GpugenExtension": extension_config,
    }
