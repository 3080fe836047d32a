"""The client that a command works with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gpugen.client import Client, Task
from gpugen_protocol.errors import InvalidRequest, NotFound

_SEARCHED = 1000  # tasks among which the start of an id is looked up


@contextlib.contextmanager
def session() -> Iterator[Client]:
    """The server of the environment or the config file, else the private one, until the command ends."""
    client = Client()
    try:
        yield client
    finally:
        client.close()


def find_task(client: Client, name: str) -> Task:
    """The task whose id is `name`, or starts with it.

    Raises:
        NotFound: no task's does.
        InvalidRequest: several do.
    """
    with contextlib.suppress(NotFound):
        return client.task(name)
    found = [identity for identity in _recent(client) if identity.startswith(name)]
    if not found:
        raise NotFound(
            f"There is no task {name!r}.",
            hint=f"`gpugen queue --all` lists your tasks at {client.connection.url};"
            " another GPUGEN_DATA_DIR or GPUGEN_URL has others.",
        )
    if len(found) > 1:
        raise InvalidRequest(
            f"{len(found)} tasks start with {name!r}.",
            hint=f"Such as {found[0]} and {found[1]}: write more of it.",
        )
    return client.task(found[0])


def _recent(client: Client) -> Iterator[str]:
    cursor: str | None = None
    for _ in range(_SEARCHED // 100):
        page = client.api.list(limit=100, cursor=cursor)
        yield from (task.id for task in page.tasks)
        cursor = page.next_cursor
        if cursor is None:
            return
