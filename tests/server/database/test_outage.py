"""What only PostgreSQL has: a disk of its own that fills up, a server that is killed and started again."""

import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest
import requests
from tests.postgres import FAST, Postgres

from gpugen_protocol.errors import StorageFull, Unavailable
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest, Completion
from gpugen_server.database import Database

CAT = TaskRequest(prompt="a cat", width=64, height=64, steps=1)
NOW = ClaimRequest(wait_seconds=0)


@pytest.fixture
def own_postgres():
    """A PostgreSQL that this test may kill."""
    with tempfile.TemporaryDirectory(prefix="gg-pg-") as folder:
        server = Postgres(Path(folder), FAST)
        yield server
        server.stop()


@pytest.mark.skipif(not shutil.which("prlimit"), reason="only Linux can limit the files of a running process")
def test_a_full_disk_refuses_what_writes_lets_read_and_heals_without_a_restart(
    make_server, postgres, postgres_url, png
):
    server = make_server(database_url=postgres_url, lease_seconds=3600)  # filling a disk may take minutes
    tasks, worker = server.tasks(), server.worker()
    before = tasks.submit(CAT)
    (lease,) = worker.claim(NOW)
    worker.upload(lease.id, 0, png(64, 64))
    with postgres.full():
        _fill(postgres_url)
        with pytest.raises(StorageFull):
            tasks.submit(CAT)
        with pytest.raises(StorageFull):
            worker.complete(lease.id, Completion())
        assert [task.id for task in tasks.list().tasks] == [before.id]
    assert worker.complete(lease.id, Completion()) == ()
    after = tasks.submit(CAT)
    states = {task.id: task.state for task in tasks.list().tasks}
    assert states == {before.id: "succeeded", after.id: "queued"}


@pytest.mark.chaos
def test_postgresql_killed_and_started_again_under_a_server_loses_nothing(
    own_postgres, make_server, wait_until, png
):
    url = own_postgres.make("killed")
    _upgrade(url)
    server = make_server(database_url=url)
    tasks, worker = server.tasks(), server.worker()
    acknowledged = [tasks.submit(CAT).id for _ in range(5)]
    leases = worker.claim(NOW)
    own_postgres.kill()
    refused = requests.post(
        f"{server.url}/api/v1/tasks",
        json={"prompt": "a cat"},
        headers={"Authorization": f"Bearer {server.user_token}"},
        timeout=20,
    )
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    own_postgres.start()
    acknowledged.append(wait_until(lambda: _try_submit(tasks), 30).id)
    done = []
    while leases:
        done.append(leases[0].task.id)
        worker.upload(leases[0].id, 0, png(64, 64))
        leases = worker.complete(leases[0].id, Completion(claim=NOW))
    assert done == acknowledged


def _fill(url):
    """Write into the table of events until nothing more goes in, however small it is."""
    rows = (
        "INSERT INTO events (task_num, seq, body)"
        " SELECT 0, coalesce((SELECT max(seq) FROM events), 0) + number, decode(repeat('00', %s), 'hex')"
        " FROM generate_series(1, %s) AS number"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE events ALTER body SET STORAGE PLAIN")
        connection.execute(rows, (10, 200))  # so that the page in use is full
        for size, count in ((8000, 500), (8000, 1), (10, 100), (10, 1)):  # 8,000 bytes fill a page
            with pytest.raises(psycopg.Error, match="could not extend file"):
                while True:
                    connection.execute(rows, (size, count))


def _upgrade(url):
    database = Database(url)
    try:
        return database.migrate()
    finally:
        database.disconnect()


def _try_submit(tasks):
    try:
        return tasks.submit(CAT)
    except Unavailable:
        return None
