"""Several servers on one PostgreSQL and one Redis: they share the queue, and cover for each other."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from tests.server.programs import ServerProcess

from gpugen_client.claims import WorkerApi
from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion, SessionRequest
from gpugen_server import tokens
from gpugen_server.database import Database

CAT = TaskRequest(prompt="a cat", width=64, height=64, steps=1, n=1)
NOW = ClaimRequest(wait_seconds=0)
TASKS, WORKERS = 200, 4


@pytest.fixture
def database(postgres_url):
    database = Database(postgres_url)
    yield database
    database.disconnect()


@pytest.fixture
def token(database):
    """`token(scope)`: a token that every server knows."""
    made = {scope: database.call(tokens.create, scope, scope).token for scope in ("user", "worker")}
    return made.__getitem__


@pytest.fixture
def pair(tmp_path, valkey, postgres_url):
    """`pair(**environ)`: two server processes with a data directory each, and one folder of images."""
    with ExitStack() as stack:

        def start(**environ):
            shared = {
                "GPUGEN_DATABASE_URL": postgres_url,
                "GPUGEN_REDIS_URL": f"unix://{valkey['unix_socket_path']}",
                "GPUGEN_STORAGE_URL": (tmp_path / "images").as_uri(),
            }
            folders = [tmp_path / name for name in "ab"]
            for folder in folders:
                folder.mkdir()
            servers = [stack.push(ServerProcess(folder, **shared, **environ)) for folder in folders]
            return [server.__enter__() for server in servers]  # both start at once

        yield start


@pytest.fixture
def two_servers(make_server, postgres_url):
    """Two servers in this process, with a quick rhythm; the second one starts by `two_servers()`."""

    def start(**settings):
        rhythm = {"lease_seconds": 2.0, "heartbeat_seconds": 0.5}
        return make_server(database_url=postgres_url, **{**rhythm, **settings})

    return start


def states(database, task):
    """The states of a task that were told, in order."""
    told = database.call(
        lambda store: store.rows(
            "SELECT convert_from(body, 'UTF8')::json ->> 'state' FROM events JOIN tasks ON num = task_num"
            " WHERE id = ? AND convert_from(body, 'UTF8')::json ->> 'type' = 'state' ORDER BY seq",
            task,
        )
    )
    return [state for (state,) in told]


def worker_of(url, token):
    worker = WorkerApi(url, token)
    worker.open_session(SessionRequest(name="w", version="0.1.0"))
    return worker


@pytest.mark.chaos
def test_workers_of_two_servers_share_a_queue_and_get_every_task_once(pair, token, database, png):
    urls = [server.url for server in pair()]
    image = png(64, 64)

    def submit(number):
        tasks = Tasks(Connection(urls[number % 2], token("user")))
        return [tasks.submit(CAT).id for _ in range(TASKS // 2)]

    def work(number):
        worker = worker_of(urls[number % 2], token("worker"))
        done, leases = [], worker.claim(NOW)
        while leases:
            worker.upload(leases[0].id, 0, image)
            done.append(leases[0].task.id)
            leases = worker.complete(leases[0].id, Completion(claim=NOW))
        return done

    with ThreadPoolExecutor(WORKERS) as threads:
        submitted = [task for tasks in threads.map(submit, range(2)) for task in tasks]
        done = Counter(task for tasks in threads.map(work, range(WORKERS)) for task in tasks)
    assert done == Counter(submitted)
    attempts = database.call(lambda store: store.rows("SELECT DISTINCT state, attempt FROM tasks"))
    assert attempts == [("succeeded", 1)]
    assert states(database, submitted[0]) == ["queued", "running", "succeeded"]


def test_a_submit_to_one_server_wakes_a_worker_that_waits_at_the_other(pair, token, database, wait_until):
    here, there = (server.url for server in pair(GPUGEN_LEASE_SECONDS="60", GPUGEN_HEARTBEAT_SECONDS="30"))
    worker = worker_of(there, token("worker"))
    database.call(lambda store: store.change("UPDATE workers SET seen_at = 0"))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(worker.claim, ClaimRequest(wait_seconds=30))
        wait_until(lambda: database.call(lambda store: store.value("SELECT seen_at FROM workers")))
        task = Tasks(Connection(here, token("user"))).submit(CAT)
        (lease,) = waiting.result(60)
    assert lease.task.id == task.id
    waited = database.call(lambda store: store.value("SELECT started_at - created_at FROM tasks"))
    assert waited < 15, "the worker looked by itself, as it does every 30 s"


def test_without_redis_a_worker_that_waits_at_the_other_server_looks_by_itself(two_servers, wait_until):
    nowhere = {"unix_socket_path": "/nonexistent/valkey.sock"}
    here, there = two_servers(redis=nowhere), two_servers(redis=nowhere)
    worker = there.worker()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(worker.claim, ClaimRequest(wait_seconds=30))
        wait_until(lambda: there.server._dispatcher._waiting)
        task = here.tasks().submit(CAT)
        (lease,) = waiting.result(60)
    assert lease.task.id == task.id


def test_what_a_worker_of_a_server_that_was_killed_held_is_taken_back_once_by_the_other(
    pair, token, database, wait_until
):
    one, other = pair(GPUGEN_LEASE_SECONDS="2")
    tasks = Tasks(Connection(other.url, token("user")))
    task = tasks.submit(CAT).id
    assert worker_of(one.url, token("worker")).claim(NOW)
    one.process.kill()
    wait_until(lambda: tasks.get(task).state == "queued", 60)
    assert states(database, task) == ["queued", "running", "queued"]


def test_one_server_at_a_time_keeps_house_and_hands_it_on_when_it_stops(two_servers, wait_until):
    holder = "SELECT holder FROM duties WHERE name = 'housekeeping'"
    first, second = two_servers(), two_servers()
    ((keeper,),) = first.sql(holder)
    assert keeper == first.server._housekeeping._duty._holder
    first.stop()
    wait_until(lambda: second.sql(holder) == [(second.server._housekeeping._duty._holder,)])


def test_a_server_that_starts_beside_another_prolongs_no_lease(two_servers):
    first = two_servers(lease_seconds=30.0, heartbeat_seconds=10.0)
    first.tasks().submit(CAT)
    assert first.worker().claim(NOW)
    first.sql("UPDATE tasks SET lease_until = lease_until - 20 RETURNING 1")
    before = first.sql("SELECT lease_until FROM tasks")
    two_servers()
    assert first.sql("SELECT lease_until FROM tasks") == before


def test_a_watcher_at_one_server_hears_of_a_task_at_the_other(two_servers, listen, wait_until):
    here, there = two_servers(), two_servers()
    task = here.tasks().submit(CAT).id
    listener = listen(there, f"?task={task}", token=here.user_token)
    wait_until(lambda: listener.of("snapshot"))
    here.tasks().cancel(task)
    wait_until(lambda: [event for event in listener.of("state") if event["state"] == "canceled"])
