"""What only PostgreSQL has: connections that write at once, break or are refused, and a clock of its own."""

import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from gpugen_protocol.errors import MissingExtra, Unavailable
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest
from gpugen_server.database import Database, schema

CAT = TaskRequest(prompt="a cat", width=64, height=64, steps=1)
NOW = ClaimRequest(wait_seconds=0)
AT_ONCE = 8


@pytest.fixture
def where(postgres_url):
    """Nothing here is about SQLite."""
    return postgres_url


@pytest.fixture
def at_once(make_queue):
    """`at_once(work)`: the results of `work(queue, number)`, run at once on connections of their own."""
    queues = [make_queue() for _ in range(AT_ONCE)]
    start = threading.Barrier(AT_ONCE)

    def run(work):
        def one(number):
            start.wait(30)
            try:
                return work(queues[number], number)
            finally:
                queues[number].database.disconnect()

        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(one, range(AT_ONCE)))

    return run


@pytest.fixture
def cut(postgres):
    """`cut()`: end every connection to this test's database, as a restart of PostgreSQL does."""

    def end(url):
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            ended = connection.execute(
                "SELECT count(*) FROM (SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = %s) AS ended",
                (url.rpartition("/")[2],),
            )
            return ended.fetchone()[0]

    return end


def test_connections_that_claim_at_once_never_get_the_same_task(at_once, queue):
    submitted = {queue.submit(prompt=f"{number}") for number in range(40)}

    def drain(queue, _):
        leases = []
        while lease := queue.claim():
            leases.append(lease.task.id)
            queue.fail(lease.id, "not_supported")
        return leases

    claimed = [task for leases in at_once(drain) for task in leases]
    assert len(claimed) == len(submitted)
    assert set(claimed) == submitted
    assert {queue.states(task)[1:] == ["running", "failed"] for task in submitted} == {True}


def test_a_key_that_is_used_at_once_makes_one_task(at_once, queue):
    made = at_once(lambda queue, _: queue.try_submit(key="k"))
    assert len({task for task, _ in made}) == 1
    assert sum(new for _, new in made) == 1
    assert queue.call(lambda store: store.value("SELECT count(*) FROM tasks")) == 1


def test_the_same_end_told_twice_at_once_counts_once_and_is_no_error(at_once, queue):
    lease = queue.submit_and_claim(n=1)
    queue.accept(lease.id)
    at_once(lambda other, _: other.complete(lease.id, queue.worker))
    assert queue.states(lease.task.id) == ["queued", "running", "succeeded"]


def test_reapers_at_work_at_once_take_each_lease_back_once(at_once, queue):
    for _ in range(5):
        queue.submit()
    leases = [queue.claim(queue.new_worker()) for _ in range(5)]
    for lease in leases:
        queue.expire(lease.id)
    taken = at_once(lambda queue, _: queue.claim())
    taken += [queue.claim(queue.new_worker()) for _ in leases]  # who came before the reaper's commit got none
    assert sorted(lease.task.id for lease in taken if lease) == sorted(lease.task.id for lease in leases)
    for lease in leases:
        assert queue.states(lease.task.id) == ["queued", "running", "queued", "running"]


def test_cancel_and_claim_at_once_leave_one_story(at_once, queue):
    tasks = [queue.submit(prompt=f"{number}") for number in range(AT_ONCE // 2)]

    def race(queue, number):
        return queue.claim() if number % 2 else queue.cancel(tasks[number // 2])

    leased = {lease.task.id for lease in at_once(race) if lease}
    for task in tasks:
        ended = ["queued", "canceled"] if task not in leased else ["queued", "running"]
        assert queue.states(task) == ended


def test_a_task_that_somebody_only_looks_at_is_not_hidden_from_a_claim(make_queue, queue, wait_until):
    task = queue.submit()
    looker, looked, go_on = make_queue(), threading.Event(), threading.Event()

    def look(store):
        store.rows("SELECT num FROM tasks" + store.lock)
        looked.set()
        go_on.wait(30)

    def watch():
        looker.call(look)
        looker.database.disconnect()

    with ThreadPoolExecutor(2) as threads:
        threads.submit(watch)
        assert looked.wait(30)
        claimed = threads.submit(_claim_on_its_own_connection, queue)
        wait_until(lambda: _waits_for_a_lock(queue), 30)
        go_on.set()
        assert claimed.result(30).task.id == task


def test_a_connection_that_was_cut_between_two_transactions_is_replaced_unseen(queue, cut, where):
    task = queue.submit()
    assert cut(where) > 0
    assert queue.state(task) == "queued"


def test_a_connection_that_is_cut_in_a_transaction_is_unavailable_then_replaced(queue, cut, where, caplog):
    task = queue.submit()

    def be_cut(store):
        store.change("UPDATE tasks SET prompt = 'another'")
        cut(where)
        store.value("SELECT 1")

    with pytest.raises(Unavailable) as refused:
        queue.call(be_cut)
    assert refused.value.retry_after
    assert "terminating connection" in caplog.text
    assert queue.get(task).request.prompt == "a cat"


def test_what_the_driver_says_of_hosts_and_users_is_for_the_log_alone(caplog):
    nowhere = Database("postgresql://secret-user:secret-word@127.0.0.1:1/secret-name")
    with pytest.raises(Unavailable) as refused:
        nowhere.check()
    assert "127.0.0.1" in caplog.text
    assert "secret-word" not in caplog.text + nowhere.engine.name
    assert "secret" not in str(refused.value)
    assert "127.0.0.1" not in str(refused.value)


def test_an_outage_is_logged_once_and_not_for_every_request(caplog):
    nowhere = Database("postgresql://127.0.0.1:1/name")
    for _ in range(3):
        with pytest.raises(Unavailable):
            nowhere.check()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_leases_are_judged_by_postgresqls_clock_though_a_servers_own_is_wrong(make_queue, monkeypatch):
    right = time.time
    lease = make_queue().submit_and_claim()
    monkeypatch.setattr("time.time", lambda: right() + 3600)
    ahead = make_queue()
    assert ahead.claim() is None
    ahead.call(lambda store: None)
    assert abs(ahead.database.now() - right()) < 60
    assert ahead.state(lease.task.id) == "running"


def test_a_migration_may_take_its_time_and_what_follows_may_not(database):
    def limit(store):
        return store.value("SHOW statement_timeout")

    assert database.call(limit) == "15s"

    def limit_of_a_migration(store):
        database.engine.begin_migration(store)
        return limit(store)

    assert database.call(limit_of_a_migration) == "0"
    assert database.call(limit) == "15s"


def test_two_upgrades_at_once_take_every_step_once(postgres):
    url = postgres.make("upgraded")
    try:
        with ThreadPoolExecutor(2) as threads:
            found = sorted(threads.map(_upgrade, [url, url]))
        assert found == [0, schema.VERSION]
    finally:
        postgres.drop("upgraded")


def test_without_its_driver_the_install_that_brings_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match="driver") as refused:
        Database("postgresql://h/d")
    assert "pip install 'gpugen[postgres]'" in refused.value.hint


def _claim_on_its_own_connection(queue):
    try:
        return queue.claim()
    finally:
        queue.database.disconnect()


def _waits_for_a_lock(queue):
    return queue.call(lambda store: store.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))


def _upgrade(url):
    database = Database(url)
    try:
        return database.migrate()
    finally:
        database.disconnect()
