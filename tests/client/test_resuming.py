"""Watches over a line that breaks, at a real server: whatever happens, they end in the truth."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.client.bad_line import BadLine
from tests.conftest import RunningServer
from tests.fakes import until

from gpugen_client import feed
from gpugen_client.claims import WorkerApi
from gpugen_client.connection import Connection
from gpugen_client.updates import Updates
from gpugen_client.watch import Watch
from gpugen_protocol.events import Event, GapEvent, NumberedEvent, PhaseReport, SnapshotEvent, StateEvent
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion, Lease

NUMBERED = NumberedEvent.__args__  # type: ignore[attr-defined]


class Reader(threading.Thread):
    """Reads one watch to its end."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(daemon=True)
        self.watch = watch
        self.events: list[Event] = []
        self.start()

    def run(self) -> None:
        self.events.extend(self.watch)

    @property
    def numbers(self) -> list[int]:
        return [event.seq for event in self.events if isinstance(event, NUMBERED)]


@pytest.fixture
def running(server: RunningServer, worker_api: WorkerApi) -> Lease:
    """A lease on a task of two images."""
    server.tasks().submit(TaskRequest(prompt="a cat", n=2))
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    return lease


@pytest.fixture
def line(server: RunningServer) -> Any:
    with BadLine(urlsplit(server.url).port or 0) as line:
        yield line


def finish(worker: WorkerApi, lease: Lease, png: Callable[..., bytes]) -> None:
    for index in range(2):
        image = png(lease.task.request.width, lease.task.request.height, (index, 0, 0))
        worker.upload(lease.id, index, image)
    worker.complete(lease.id, Completion())


def test_watches_over_a_line_that_is_cut_again_and_again_miss_nothing_and_see_nothing_twice(
    server: RunningServer, worker_api: WorkerApi, running: Lease, line: BadLine, png: Callable[..., bytes]
) -> None:
    dice = random.Random(3)
    updates = [Updates(Connection(line.url, server.user_token, retries=1)) for _ in range(3)]
    readers = [Reader(each.watch(running.task.id)) for each in updates]
    for first in range(0, 200, 4):
        worker_api.report(
            running.id, tuple(PhaseReport(phase="drawing", text=str(n)) for n in range(first, first + 4))
        )
        if dice.random() < 0.25:
            line.cut()
    finish(worker_api, running, png)
    for reader in readers:
        reader.join(30)
    last = server.tasks().events(running.task.id).last_seq
    assert [reader.numbers for reader in readers] == [list(range(1, last + 1))] * 3
    for each in updates:
        each.close()


def test_a_lid_closed_while_the_task_ended_and_its_history_was_pruned_opens_on_the_right_picture(
    server: RunningServer,
    worker_api: WorkerApi,
    running: Lease,
    line: BadLine,
    png: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "_SILENCE", 1.0)
    updates = Updates(Connection(line.url, server.user_token, retries=0, timeout=(1.0, 1.0)))
    reader = Reader(updates.watch(running.task.id))
    until(lambda: reader.watch.seq >= 2)
    line.freeze()
    finish(worker_api, running, png)
    last = server.tasks().events(running.task.id).last_seq
    server.sql("DELETE FROM events WHERE seq < ?", last - 1)
    line.cut()  # as the router has forgotten them
    line.thaw()
    reader.join(30)
    assert [event.until for event in reader.events if isinstance(event, GapEvent)] == [last - 2]
    shown = [event for event in reader.events if isinstance(event, SnapshotEvent)][-1].data
    assert [image.index for image in shown.images] == [0, 1]
    assert isinstance(reader.events[-1], StateEvent)
    assert reader.events[-1].state == "succeeded"
    updates.close()
