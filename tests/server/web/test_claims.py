import asyncio
import json
import socket
import threading
import time

import pytest
import requests

from gpugen_client.claims import WorkerApi
from gpugen_protocol.errors import Conflict, LeaseLost, TooManyRequests, Unauthorized, WorkerTooOld
from gpugen_protocol.events import LogReport, ProgressReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion, Failure, SessionRequest
from gpugen_server.autoscale.provider import WORKER_USER
from gpugen_server.tokens.throttle import Throttle

CAT = TaskRequest(prompt="a cat", width=64, height=64)
NOW = ClaimRequest(wait_seconds=0)


def waiting(server):
    return len(server.server._dispatcher._waiting)


@pytest.fixture
def claim_later(worker_api, server, wait_until):
    """Starts a claim that waits; gives a function that waits for its answer."""

    def start(**fields):
        got = []
        thread = threading.Thread(target=lambda: got.extend(worker_api.claim(ClaimRequest(**fields))))
        thread.start()
        wait_until(lambda: waiting(server) or not thread.is_alive())

        def join():
            thread.join(15)
            assert not thread.is_alive()
            return got

        return join

    return start


def test_a_session_tells_the_rhythm(server):
    session = server.worker("emoji").session
    assert (session.lease_seconds, session.heartbeat_seconds) == (30.0, 10.0)
    assert session.token.startswith("gpg_w_")
    (worker,) = server.tasks().workers().workers
    assert (worker.id, worker.state, worker.models) == (session.worker_id, "idle", ("emoji",))


def test_only_a_worker_of_the_autoscaler_is_told_when_to_leave(server):
    introduction = SessionRequest(name="a", version="0.1.0")
    ours = server.make_token("worker", WORKER_USER)
    assert WorkerApi(server.url, ours).open_session(introduction).idle_seconds == 600.0
    assert WorkerApi(server.url, server.worker_token).open_session(introduction).idle_seconds is None


def test_a_worker_of_an_older_protocol_is_told_to_update(server):
    with pytest.raises(WorkerTooOld, match="protocol 0"):
        WorkerApi(server.url, server.worker_token).open_session(
            SessionRequest(name="old", version="0.0.1", protocol=0)
        )


def test_absurd_numbers_of_a_worker_do_no_harm(server):
    request = SessionRequest(name="x", version="1", memory_bytes=10**30)
    WorkerApi(server.url, server.worker_token).open_session(request)
    assert len(server.tasks().workers().workers) == 1


def test_a_claim_without_work_is_answered_after_its_time(worker_api):
    begun = time.monotonic()
    assert worker_api.claim(ClaimRequest(wait_seconds=0.3)) == ()
    assert 0.25 < time.monotonic() - begun < 5


def test_a_submit_wakes_a_claim_that_waits(claim_later, tasks):
    join = claim_later(wait_seconds=20)
    task = tasks.submit(CAT)
    begun = time.monotonic()
    assert [lease.task.id for lease in join()] == [task.id]
    assert time.monotonic() - begun < 5


def test_a_claim_may_take_several_tasks(worker_api, tasks):
    submitted = [tasks.submit(CAT).id for _ in range(3)]
    leases = worker_api.claim(ClaimRequest(wait_seconds=0, max=2))
    assert [lease.task.id for lease in leases] == submitted[:2]


def test_a_worker_that_hung_up_while_it_waited_is_handed_nothing(server, tasks, wait_until, worker_api):
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"wait_seconds": 20}).encode()
    head = (
        f"POST /api/v1/worker/claims HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {worker_api._connection.token}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as dying:
        dying.sendall(head.encode() + body)
        wait_until(lambda: waiting(server))
    wait_until(lambda: not waiting(server))
    task = tasks.submit(CAT)
    assert tasks.get(task.id).state == "queued"
    assert worker_api.claim(NOW)[0].task.attempt == 1


def test_a_worker_that_hung_up_during_its_claim_gives_the_task_back(server, tasks):
    from gpugen_server.queue.claim import Claimer, claim
    from gpugen_server.web.dispatch import Ticket

    api, task = server.worker(), tasks.submit(CAT)
    claimer = Claimer(worker=api.session.worker_id, models=(), count=1, lease_seconds=30)
    ticket = Ticket()

    def claim_and_hang_up(store):
        leases = claim(store, claimer)
        ticket.hang_up()
        return leases

    dispatcher = server.server._dispatcher
    assert server.run(dispatcher.grant(claim_and_hang_up, claimer.worker, ticket)) == ()
    assert tasks.get(task.id).state == "queued"
    assert api.claim(NOW)[0].task.attempt == 2


def test_reports_are_told_and_answered_with_what_to_do(server, tasks, worker_api, lease):
    beat = worker_api.report(lease.id, (LogReport(message="hello"),))
    assert (beat.cancel, beat.lease_seconds, beat.previews) == (False, 30.0, False)
    tasks.cancel(lease.task.id)
    assert worker_api.report(lease.id).cancel is True
    assert worker_api.report(lease.id, (ProgressReport(image=0, step=1, steps=2),)).cancel is True


def test_previews_are_wanted_only_while_somebody_watches(server, worker_api, lease, listen, wait_until):
    watcher = listen(server, f"?task={lease.task.id}")
    wait_until(lambda: worker_api.report(lease.id).previews)
    watcher.close()
    wait_until(lambda: not worker_api.report(lease.id).previews)


def test_the_next_task_comes_with_the_end_of_the_last(tasks, worker_api, png):
    first, second = tasks.submit(CAT), tasks.submit(CAT)
    (lease,) = worker_api.claim(NOW)
    worker_api.upload(lease.id, 0, png(64, 64))
    (following,) = worker_api.complete(lease.id, Completion(claim=NOW))
    assert following.task.id == second.id
    assert tasks.get(first.id).state == "succeeded"


def test_a_task_without_its_images_cannot_be_completed(worker_api, lease):
    with pytest.raises(Conflict, match="0 arrived"):
        worker_api.complete(lease.id, Completion())


def test_ends_may_be_posted_twice(tasks, worker_api, lease):
    for _ in range(2):
        worker_api.fail(lease.id, Failure(code="out_of_memory", message="No memory."))
    assert tasks.get(lease.task.id).error.code == "out_of_memory"


def test_a_released_task_is_claimed_at_once(worker_api, lease):
    worker_api.release(lease.id, "preempted")
    assert worker_api.claim(NOW)[0].task.id == lease.task.id


def test_a_lost_lease_is_refused_on_every_route(make_server, png, wait_until):
    server = make_server(lease_seconds=0.3, heartbeat_seconds=0.1)
    tasks, one, two = server.tasks(), server.worker(), server.worker()
    task = tasks.submit(CAT)
    (stale,) = one.claim(NOW)
    current = wait_until(lambda: two.claim(NOW))[0]
    assert (current.task.id, current.task.attempt) == (task.id, 2)
    for post in (
        lambda: one.report(stale.id),
        lambda: one.upload(stale.id, 0, png(64, 64)),
        lambda: one.complete(stale.id, Completion()),
        lambda: one.fail(stale.id, Failure(code="error", message="x")),
        lambda: one.release(stale.id, ""),
    ):
        with pytest.raises(LeaseLost):
            post()


def test_nobody_works_with_anothers_lease(server, worker_api, lease):
    with pytest.raises(LeaseLost):
        server.worker().report(lease.id)


def test_a_session_token_is_renewed_in_time_and_the_old_one_still_holds(server, worker_api, lease):
    old = worker_api._connection.token
    assert not worker_api.report(lease.id).token
    server.sql("UPDATE tokens SET expires_at = expires_at - 2000 WHERE worker IS NOT NULL")
    server.server._services.gate.forget()
    assert worker_api.report(lease.id).token is not None
    assert worker_api._connection.token != old
    worker_api.report(lease.id)
    answer = requests.post(
        f"{server.url}/api/v1/worker/leases/{lease.id}/events",
        data=b"{}",
        headers={"Authorization": f"Bearer {old}"},
        timeout=10,
    )
    assert answer.status_code == 200


def test_a_waiting_worker_stays_alive_in_the_list(make_server, wait_until):
    server = make_server(heartbeat_seconds=0.5, lease_seconds=5.0)
    api = server.worker()
    thread = threading.Thread(target=lambda: api.claim(ClaimRequest(wait_seconds=3)))
    thread.start()
    begun = time.monotonic()
    seen = set()
    while time.monotonic() - begun < 2.5:
        seen |= {worker.state for worker in server.tasks().workers().workers}
        time.sleep(0.1)
    thread.join()
    assert seen == {"idle"}
    wait_until(lambda: server.tasks().workers().workers[0].state == "gone")


def test_a_report_of_a_megabyte_is_taken_and_a_larger_one_is_not(server, worker_api, lease):
    def post(reports):
        return requests.post(
            f"{server.url}/api/v1/worker/leases/{lease.id}/events",
            json={"events": reports},
            headers={"Authorization": f"Bearer {worker_api._connection.token}"},
            timeout=10,
        ).status_code

    preview = {"type": "preview", "image": 0, "step": 1, "data": "A" * 24_000}
    assert post([preview] * 40) == 200
    assert post([preview] * 45) == 413
    assert post([{"type": "log", "message": "x"}] * 201) == 400


def test_a_beat_always_says_whether_to_stop_and_whether_anybody_watches(server, worker_api, lease):
    answer = requests.post(
        f"{server.url}/api/v1/worker/leases/{lease.id}/events",
        data=b"{}",
        headers={"Authorization": f"Bearer {worker_api._connection.token}"},
        timeout=10,
    )
    assert answer.json() == {"cancel": False, "lease_seconds": 30.0, "previews": False}


def test_an_end_whose_answer_was_lost_brings_the_same_next_task_again(tasks, worker_api, png):
    tasks.submit(CAT)
    following = tasks.submit(CAT)
    (lease,) = worker_api.claim(NOW)
    worker_api.upload(lease.id, 0, png(64, 64))
    first, second = (worker_api.complete(lease.id, Completion(claim=NOW)) for _ in range(2))
    assert first[0].id == second[0].id
    assert (first[0].task.id, first[0].task.attempt) == (following.id, 1)


def test_a_session_that_is_about_to_end_takes_no_more_tasks(server, tasks, worker_api, png):
    tasks.submit(CAT)
    waiting = tasks.submit(CAT)
    (lease,) = worker_api.claim(NOW)
    worker_api.upload(lease.id, 0, png(64, 64))
    soon = time.time() + 25
    server.sql("UPDATE tokens SET expires_at = ? WHERE worker IS NOT NULL", soon)
    server.server._services.gate.forget()
    assert worker_api.complete(lease.id, Completion(claim=NOW)) == ()
    with pytest.raises(Unauthorized, match="too soon"):
        worker_api.claim(NOW)
    assert tasks.get(lease.task.id).state == "succeeded"
    assert tasks.get(waiting.id).state == "queued"


def test_a_lease_is_given_back_before_its_worker_can_claim_again(server, tasks):
    from gpugen_server.queue.claim import Claimer, claim
    from gpugen_server.web.dispatch import Ticket

    api, task = server.worker(), tasks.submit(CAT)
    claimer = Claimer(worker=api.session.worker_id, models=(), count=1, lease_seconds=30)
    dispatcher, gone = server.server._dispatcher, Ticket()
    gone.hang_up()

    async def both():
        claims = (
            dispatcher.grant(lambda store: claim(store, claimer), claimer.worker, ticket)
            for ticket in (gone, Ticket())
        )
        return await asyncio.gather(*claims)

    nothing, (lease,) = server.run(both())
    assert nothing == ()
    api.report(lease.id)
    assert tasks.get(task.id).state == "running"


def test_one_token_cannot_fill_the_list_of_workers(server, monkeypatch):
    monkeypatch.setattr(server.server._services, "sessions", Throttle(3))
    for _ in range(3):
        server.worker()
    with pytest.raises(TooManyRequests) as refused:
        server.worker()
    assert refused.value.retry_after > 0
    another = WorkerApi(server.url, server.make_token("worker"))
    assert another.open_session(SessionRequest(name="other", version="1")).worker_id
