"""What a user does with tasks: submit, look up, list, cancel, fetch images."""

from __future__ import annotations

import contextlib
import uuid

from gpugen_client.connection import Connection
from gpugen_protocol import paths, wire
from gpugen_protocol.errors import GpugenError
from gpugen_protocol.events import EventPage
from gpugen_protocol.health import Health, Stats
from gpugen_protocol.models import ModelList
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import Group, Input, Task, TaskPage
from gpugen_protocol.worker import VIA_HEADER, WorkerList


class Tasks:
    """The user's side of the API over one connection. Every method raises as `Connection.call`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def submit(self, request: TaskRequest, key: str | None = None) -> Task:
        """Put `request` in the queue. A retry after a lost answer does not make a second task.

        Nor does another call with the same `key`, up to 255 visible ASCII characters; None is a new one.
        """
        return self.connection.call("POST", paths.TASKS(), Task, body=request, headers=_once(key))

    def get(self, task: str) -> Task:
        """The task as it is now."""
        return self.connection.call("GET", paths.TASK(id=task), Task)

    def list(
        self,
        *,
        state: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        group: str | None = None,
    ) -> TaskPage:
        """One page of own tasks, newest first."""
        params = {"state": state, "limit": limit, "cursor": cursor, "group": group}
        return self.connection.call("GET", paths.TASKS(), TaskPage, params=params)

    def cancel(self, task: str) -> Task:
        """Ask for the task to stop; a finished one stays as it is."""
        return self.connection.call("POST", paths.TASK_CANCEL(id=task), Task)

    def group(self, group: str) -> Group:
        """The tasks of `group` as one."""
        return self.connection.call("GET", paths.GROUP(id=group), Group)

    def cancel_group(self, group: str) -> Group:
        """Ask for every task of `group` to stop."""
        return self.connection.call("POST", paths.GROUP_CANCEL(id=group), Group)

    def retry(self, task: str, key: str | None = None) -> Task:
        """A new task with the same request; `key` as for `submit`."""
        return self.connection.call("POST", paths.TASK_RETRY(id=task), Task, headers=_once(key))

    def delete(self, task: str) -> None:
        """Remove a finished task with its images."""
        self.connection.call("DELETE", paths.TASK(id=task), type(None))

    def events(self, task: str, after: int = 0) -> EventPage:
        """The numbered events after number `after`."""
        return self.connection.call("GET", paths.TASK_EVENTS(id=task), EventPage, params={"after": after})

    def image(self, task: str, index: int) -> bytes:
        """The PNG bytes of image `index`."""
        path = paths.TASK_IMAGE(id=task, index=index)
        with contextlib.suppress(GpugenError):  # perhaps of a bucket that cannot be reached from here
            return self.connection.send("GET", path).content
        return self.connection.send("GET", path, headers={VIA_HEADER: "server"}).content

    def add_input(self, image: bytes) -> Input:
        """Send an image (PNG, JPEG or WebP) that tasks may start from; sent again it is the same input."""
        response = self.connection.send(
            "POST",
            paths.INPUTS(),
            data=image,
            headers={"Content-Type": "application/octet-stream"},
            timeout=(5.0, 60.0),
        )
        return wire.decode(response.content, Input)

    def models(self) -> ModelList:
        """The models the server knows."""
        return self.connection.call("GET", paths.MODELS(), ModelList)

    def workers(self) -> WorkerList:
        """The workers that showed themselves lately."""
        return self.connection.call("GET", paths.WORKERS(), WorkerList)

    def health(self) -> Health:
        """Whether the server and its parts work."""
        return self.connection.call("GET", paths.READYZ(), Health)

    def stats(self) -> Stats:
        """How many tasks are in which state."""
        return self.connection.call("GET", paths.STATS(), Stats)


def _once(key: str | None) -> dict[str, str]:
    """The header by which a request that is sent again starts nothing new."""
    return {"Idempotency-Key": key or uuid.uuid4().hex}
