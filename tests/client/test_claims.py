from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from gpugen_client import claims
from gpugen_client.claims import WorkerApi
from gpugen_client.tasks import Tasks
from gpugen_protocol.errors import LeaseLost, ServerUnreachable, Unauthorized
from gpugen_protocol.events import LogReport, PhaseReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion, Failure, SessionRequest

NOW = ClaimRequest(wait_seconds=0)
CAT = TaskRequest(prompt="a cat", width=32, height=32)


def test_a_claim_without_work_is_empty(worker_api: WorkerApi) -> None:
    assert worker_api.claim(NOW) == ()


def test_a_task_is_claimed_drawn_and_completed(
    tasks: Tasks, worker_api: WorkerApi, png: Callable[..., bytes]
) -> None:
    task = tasks.submit(CAT)
    (lease,) = worker_api.claim(NOW)
    assert (lease.task.id, lease.task.attempt) == (task.id, 1)
    beat = worker_api.report(lease.id, (PhaseReport(phase="drawing"), LogReport(message="hello")))
    assert not beat.cancel
    worker_api.upload(lease.id, 0, png(32, 32))
    assert worker_api.complete(lease.id, Completion()) == ()
    assert tasks.get(task.id).state == "succeeded"


def test_completing_can_claim_the_next_task(
    tasks: Tasks, worker_api: WorkerApi, png: Callable[..., bytes]
) -> None:
    tasks.submit(CAT)
    second = tasks.submit(CAT)
    (lease,) = worker_api.claim(NOW)
    worker_api.upload(lease.id, 0, png(32, 32))
    (following,) = worker_api.complete(lease.id, Completion(claim=NOW))
    assert following.task.id == second.id
    worker_api.release(following.id, "the test is over")


def test_a_heartbeat_tells_that_the_user_wants_it_to_stop(tasks: Tasks, worker_api: WorkerApi) -> None:
    task = tasks.submit(CAT)
    (lease,) = worker_api.claim(NOW)
    tasks.cancel(task.id)
    assert worker_api.report(lease.id).cancel
    worker_api.fail(lease.id, Failure(code="canceled", message="Stopped."))
    assert tasks.get(task.id).state == "canceled"


def test_a_released_task_is_claimed_again_and_the_old_lease_is_lost(
    tasks: Tasks, worker_api: WorkerApi
) -> None:
    tasks.submit(CAT)
    (old,) = worker_api.claim(NOW)
    worker_api.release(old.id, "shutting down")
    (new,) = worker_api.claim(NOW)
    assert new.task.id == old.task.id
    with pytest.raises(LeaseLost):
        worker_api.report(old.id)


def test_a_users_token_opens_no_session(server: object) -> None:
    api = WorkerApi(server.url, "wrong")  # type: ignore[attr-defined]
    with pytest.raises(Unauthorized):
        api.open_session(SessionRequest(name="x", version="0.1.0"))


def test_a_heartbeat_that_gets_no_answer_is_given_up_soon_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "BEAT_TIMEOUT", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = WorkerApi(f"http://127.0.0.1:{silent.getsockname()[1]}", "token")
        api._use_token("session")
        started = time.monotonic()
        with pytest.raises(ServerUnreachable):
            api.report("lease")
    assert time.monotonic() - started < 0.6
