"""A browser that has logged in: it has a cookie, not the token."""

from __future__ import annotations

from typing import Any


async def log_in(client: Any, base_url: str, serverapp: Any) -> str:
    """The cookie that Jupyter gives whoever comes once with its token."""
    address = f"{base_url}api/status?token={serverapp.identity_provider.token}"
    answer = await client.fetch(address)
    return "; ".join(given.partition(";")[0] for given in answer.headers.get_list("Set-Cookie"))
