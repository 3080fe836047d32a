import pytest

from gpugen_protocol.errors import Conflict, IdempotencyConflict, NotFound, NotSupported, TooCostly
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion

CAT = TaskRequest(prompt="a cat")


def test_a_submit_is_created_with_every_blank_filled(ask, tasks):
    answer = ask("POST", "/api/v1/tasks", json={"prompt": "a cat"})
    assert answer.status_code == 201
    task = answer.json()
    assert answer.headers["Location"] == f"/api/v1/tasks/{task['id']}"
    assert isinstance(task["request"]["seed"], int)
    assert (task["user"], task["state"], task["phase"]) == ("local", "queued", "queued")
    assert tasks.get(task["id"]).request.width == 128


def test_random_seeds_differ(tasks):
    assert tasks.submit(CAT).request.seed != tasks.submit(CAT).request.seed


def test_the_same_idempotency_key_gives_the_same_task(ask):
    first, second = (
        ask("POST", "/api/v1/tasks", json={"prompt": "a"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["request"]["seed"] == second.json()["request"]["seed"]


def test_the_same_key_with_another_body_is_a_conflict(server, ask):
    ask("POST", "/api/v1/tasks", json={"prompt": "a"}, headers={"Idempotency-Key": "k"})
    answer = ask("POST", "/api/v1/tasks", json={"prompt": "b"}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (409, IdempotencyConflict.code)
    other = ask(
        "POST",
        "/api/v1/tasks",
        server.make_token("user"),
        json={"prompt": "b"},
        headers={"Idempotency-Key": "k"},
    )
    assert other.status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a b"])
def test_a_strange_key_is_refused(ask, key):
    assert (
        ask("POST", "/api/v1/tasks", json={"prompt": "a"}, headers={"Idempotency-Key": key}).status_code
        == 400
    )


def test_what_the_model_cannot_do_is_refused_before_it_is_queued(tasks):
    with pytest.raises(NotSupported):
        tasks.submit(TaskRequest(prompt="a", scheduler="lcm"))
    with pytest.raises(TooCostly):
        tasks.submit(TaskRequest(prompt="a", width=2048, height=2048, steps=150, n=16))
    assert tasks.list().tasks == ()


def test_users_see_their_own_tasks_and_an_admin_sees_all(server, tasks):
    bob, admin = server.tasks(server.make_token("user", "bob")), server.tasks(server.make_token("admin"))
    mine, his = tasks.submit(CAT), bob.submit(CAT)
    assert [task.id for task in tasks.list().tasks] == [mine.id]
    assert [task.id for task in bob.list().tasks] == [his.id]
    assert [task.id for task in admin.list().tasks] == [his.id, mine.id]
    for act in (tasks.get, tasks.cancel, tasks.retry, tasks.delete, tasks.events):
        with pytest.raises(NotFound):
            act(his.id)
    with pytest.raises(NotFound):
        tasks.image(his.id, 0)
    assert admin.cancel(his.id).state == "canceled"


def test_two_tokens_of_one_user_share_tasks(server, tasks):
    task = tasks.submit(CAT)
    assert server.tasks(server.make_token("user", "local")).get(task.id) == tasks.get(task.id)


def test_a_listing_goes_on_from_its_cursor(tasks):
    submitted = [tasks.submit(CAT).id for _ in range(3)]
    first = tasks.list(limit=2)
    rest = tasks.list(limit=2, cursor=first.next_cursor)
    assert [task.id for task in first.tasks + rest.tasks] == submitted[::-1]
    assert rest.next_cursor is None


def test_cancel_and_retry(tasks):
    task = tasks.submit(CAT)
    assert tasks.cancel(task.id).state == "canceled"
    again = tasks.retry(task.id)
    assert (again.retry_of, again.request, again.state) == (task.id, task.request, "queued")


def test_a_retry_that_is_repeated_with_its_key_is_one_task(tasks):
    task = tasks.cancel(tasks.submit(CAT).id)
    first, second = (tasks.retry(task.id, "once") for _ in range(2))
    assert (first.id, first.retry_of) == (second.id, task.id)
    assert tasks.retry(task.id).id != first.id


def test_a_finished_task_is_deleted_with_its_files(server, tasks, worker_api, png):
    task = tasks.submit(TaskRequest(prompt="a", width=64, height=64))
    with pytest.raises(Conflict):
        tasks.delete(task.id)
    (lease,) = worker_api.claim(ClaimRequest(wait_seconds=0))
    worker_api.upload(lease.id, 0, png(64, 64))
    worker_api.complete(lease.id, Completion())
    assert list(server.settings.images.rglob("*.png"))
    tasks.delete(task.id)
    assert not list(server.settings.images.rglob("*.png"))
    with pytest.raises(NotFound):
        tasks.get(task.id)


def test_polled_events_come_in_pages(tasks):
    task = tasks.cancel(tasks.submit(CAT).id)
    page = tasks.events(task.id)
    assert ([event.seq for event in page.events], page.last_seq) == ([1, 2, 3], 3)
    assert [event.seq for event in tasks.events(task.id, 2).events] == [3]
    answer = tasks.connection.send("GET", f"/api/v1/tasks/{task.id}/events", params={"limit": 1})
    assert [event["seq"] for event in answer.json()["events"]] == [1]


def test_an_accepted_submit_has_its_task_and_a_refused_one_a_line_in_the_log(ask, caplog, wait_until):
    caplog.set_level("INFO", "gpugen_server.access")
    for prompt in ("a cat", ""):
        ask("POST", "/api/v1/tasks", json={"prompt": prompt})
    ask("GET", "/api/v1/tasks")

    def lines():
        return [each for each in caplog.records if each.name == "gpugen_server.access"]

    wait_until(lambda: len(lines()) >= 2)
    assert [(line.method, line.status, line.user) for line in lines()] == [
        ("POST", 400, "local"),
        ("GET", 200, "local"),
    ]
