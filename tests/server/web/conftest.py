"""Requests as no client of ours would send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests


@pytest.fixture
def ask(server: Any) -> Callable[..., requests.Response]:
    """`ask(method, path, token=..., **requests' own)`: the raw answer; `token=""` sends none."""

    def ask(method: str, path: str, token: str | None = None, **kw: Any) -> requests.Response:
        headers = dict(kw.pop("headers", {}))
        token = server.user_token if token is None else token
        if token:
            headers.setdefault("Authorization", f"Bearer {token}")
        return requests.request(method, server.url + path, headers=headers, timeout=20, **kw)

    return ask


@pytest.fixture
def lease(tasks: Any, worker_api: Any) -> Any:
    """A claimed task of 64 x 64 pixels; its worker is `worker_api`."""
    from gpugen_protocol.request import TaskRequest
    from gpugen_protocol.worker import ClaimRequest

    tasks.submit(TaskRequest(prompt="a cat", width=64, height=64, seed=7, n=2))
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    return lease
