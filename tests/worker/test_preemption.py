"""Being taken away: what the metadata server says, and what becomes of the task."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.worker.conftest import WorkerProcess
from tests.worker.fake_metadata import FakeMetadata
from tests.worker.scripted_server import ScriptedServer, wait_until

from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import Completion
from gpugen_worker import preemption
from gpugen_worker.stop import Stop, Stopped

Start = Callable[..., WorkerProcess]


@pytest.fixture
def metadata() -> Iterator[FakeMetadata]:
    fake = FakeMetadata()
    yield fake
    fake.close()


def test_only_a_machine_of_google_asks(tmp_path: Path) -> None:
    product = tmp_path / "product_name"
    assert preemption.metadata_host({}, product) == ""
    product.write_text("KVM\n")
    assert preemption.metadata_host({}, product) == ""
    product.write_text("Google Compute Engine\n")
    assert preemption.metadata_host({}, product) == "metadata.google.internal"
    assert preemption.metadata_host({"GCE_METADATA_HOST": "10.0.0.1:80"}, product) == "10.0.0.1:80"


def test_a_preemption_is_noticed_once_whatever_the_metadata_server_did_before(
    metadata: FakeMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preemption, "WAIT", 0.05)  # so that some requests end with nothing new
    metadata.broken = 2
    noticed = threading.Semaphore(0)
    preemption.watch(metadata.host, noticed.release)
    wait_until(lambda: metadata.asked.count("before") >= 2)
    assert not noticed.acquire(blocking=False)
    metadata.preempt()
    assert noticed.acquire(timeout=10)
    assert not noticed.acquire(timeout=0.1)


def test_a_preemption_from_before_the_first_question_is_noticed(metadata: FakeMetadata) -> None:
    metadata.preempt()
    noticed = threading.Event()
    preemption.watch(metadata.host, noticed.set)
    assert noticed.wait(10)


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = Stop(20.0)
    stop.install()
    yield stop
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_sigterm_that_follows_a_notice_does_not_insist_but_the_next_one_does(stop: Stop) -> None:
    told: list[str] = []
    with stop.telling(lambda: told.append("told")):
        stop.notice()
        deadline = stop.deadline
        signal.raise_signal(signal.SIGTERM)
    assert stop.requested
    assert told == ["told"]
    assert stop.deadline == deadline
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_a_notice_after_a_sigterm_changes_nothing(stop: Stop) -> None:
    signal.raise_signal(signal.SIGTERM)
    deadline = stop.deadline
    stop.notice()
    assert stop.deadline == deadline


def test_a_waiting_worker_that_is_to_be_taken_away_leaves_at_once(
    scripted: ScriptedServer, start_worker: Start, metadata: FakeMetadata
) -> None:
    worker = start_worker(scripted.url, GCE_METADATA_HOST=metadata.host)
    wait_until(lambda: bool(scripted.claims), 30)
    metadata.preempt()
    assert worker.wait(10) == 0
    assert "about to be taken away" in worker.log


def test_a_task_that_fits_is_finished_though_the_machine_begins_to_shut_down(
    scripted: ScriptedServer, start_worker: Start, metadata: FakeMetadata
) -> None:
    environ = {"GCE_METADATA_HOST": metadata.host, "GPUGEN_FAKE_STEP_SECONDS": "0.1"}
    worker = start_worker(scripted.url, **environ)
    scripted.submit(steps=15)
    wait_until(lambda: scripted.attempts and len(scripted.attempts[0].reports) > 3, 30)
    metadata.preempt()
    worker.wait_for_log("finishing")
    worker.process.terminate()
    attempt = scripted.attempt()
    assert isinstance(attempt.ended, Completion)
    assert attempt.ended.claim is None
    assert worker.wait() == 0


def test_a_preempted_machines_task_is_with_another_worker_in_less_than_a_second(
    server: Any, start_worker: Start, metadata: FakeMetadata
) -> None:
    environ = {"GCE_METADATA_HOST": metadata.host, "GPUGEN_FAKE_STEP_SECONDS": "1"}
    first = start_worker(server.url, "--grace", "5", token=server.worker_token, **environ)
    task = server.tasks().submit(TaskRequest(prompt="a cat", steps=60))
    wait_until(lambda: server.tasks().get(task.id).progress is not None, 30)
    start_worker(server.url, token=server.worker_token)
    wait_until(lambda: len(server.tasks().workers().workers) == 2, 30)
    flipped_at = time.time()
    metadata.preempt()
    wait_until(lambda: server.tasks().get(task.id).attempt == 2)
    [(claimed_at,)] = server.sql("SELECT started_at FROM tasks WHERE id = ?", task.id)
    assert 0 < claimed_at - flipped_at < 1.0  # the server's clock is ours; the lease would last 30 s
    assert first.wait() == 0
