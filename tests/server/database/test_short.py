"""Short transactions: on the event loop where that keeps nobody waiting, else on the thread."""

import asyncio
import json
import sqlite3
import threading
import time

import pytest

from gpugen_protocol.errors import NotFound, StorageFull
from gpugen_protocol.events import LogEvent
from gpugen_server.database.pace import SLOW
from gpugen_server.events import log
from gpugen_server.queue import records

WRITE = "INSERT INTO events VALUES (1, (SELECT coalesce(max(seq), 0) + 1 FROM events), ?)"

on_sqlite = pytest.mark.parametrize("where", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("where", ["postgres"], indirect=True)


def where_it_runs(store):
    return threading.current_thread()


def write(store):
    store.change(WRITE, b"x" * 4000)


def run(database, main):
    async def and_close():
        try:
            return await main()
        finally:
            await database.close()

    return asyncio.run(and_close())


@on_sqlite
def test_it_runs_on_the_event_loop_when_nothing_else_runs(database):
    async def main():
        return await database.run_short(where_it_runs), await database.run(where_it_runs)

    short, usual = run(database, main)
    assert short is threading.main_thread()
    assert usual is not threading.main_thread()


@on_postgres
def test_postgresql_never_keeps_the_event_loop_waiting(database):
    assert run(database, lambda: database.run_short(where_it_runs)) is not threading.main_thread()


@on_sqlite
def test_it_waits_for_its_turn_on_the_thread_while_another_one_runs(database):
    go_on, order = threading.Event(), []

    def long_one(store):
        go_on.wait(30)
        order.append("long")

    async def main():
        first = asyncio.ensure_future(database.run(long_one))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(database.run_short(lambda store: order.append("short")))
        await asyncio.sleep(0)
        assert order == []
        go_on.set()
        await asyncio.gather(first, second)
        return await database.run_short(where_it_runs)

    assert run(database, main) is threading.main_thread()
    assert order == ["long", "short"]


@on_sqlite
def test_one_whose_caller_gave_up_before_it_began_is_no_longer_counted(database):
    go_on = threading.Event()

    async def main():
        first = asyncio.ensure_future(database.run(lambda store: go_on.wait(30)))
        given_up = asyncio.ensure_future(database.run(where_it_runs))
        await asyncio.sleep(0)
        given_up.cancel()
        go_on.set()
        await first
        await database.run(where_it_runs)  # after it, on the one thread
        return await database.run_short(where_it_runs)

    assert run(database, main) is threading.main_thread()


@on_sqlite
def test_after_a_slow_one_the_next_runs_on_the_thread(database):
    async def main():
        await database.run_short(lambda store: time.sleep(2 * SLOW))
        return await database.run_short(where_it_runs)

    assert run(database, main) is not threading.main_thread()


@on_sqlite
def test_many_that_are_ready_in_one_turn_of_the_event_loop_do_not_all_run_in_it(database):
    def work(store):
        time.sleep(SLOW / 4)
        return where_it_runs(store)

    async def main():
        threads = await asyncio.gather(*(database.run_short(work) for _ in range(20)))
        assert threads[-1] is not threading.main_thread()
        while await database.run_short(where_it_runs) is not threading.main_thread():
            pass  # one of them was slow in itself

    run(database, main)


@on_sqlite
def test_while_another_process_writes_it_waits_on_the_thread(database, where):
    other = sqlite3.connect(where, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    async def main():
        waiting = asyncio.ensure_future(database.run_short(where_it_runs))
        turns = 0
        while turns < 100:  # the event loop goes on
            await asyncio.sleep(0)
            turns += 1
        assert not waiting.done()
        other.execute("COMMIT")
        return await waiting

    try:
        assert run(database, main) is not threading.main_thread()
    finally:
        other.close()


@on_sqlite
def test_a_full_disk_is_named_and_changes_nothing(database):
    def fill(store):
        for _ in range(200):
            write(store)

    def count(store):
        return store.value("SELECT count(*) FROM events")

    def limit(store):
        store.rows("PRAGMA max_page_count = 100")

    async def main():
        await database.run_short(limit)
        await database.run(limit)  # should the event loop be slow, the thread takes over
        with pytest.raises(StorageFull, match="full"):
            await database.run_short(fill)
        return await database.run(count)

    assert run(database, main) == 0


@on_sqlite
def test_events_are_told_when_it_returns_in_the_order_of_the_commits(make_database, queue):
    told = []
    database = make_database(on_commit=told.extend)
    task = queue.submit()

    def say(store, text, fail=False):
        log.append(store, records.find(store, task, None).key, LogEvent, message=text)
        if fail:
            raise NotFound

    async def main():
        await database.run(say, "a")
        with pytest.raises(NotFound):
            await database.run_short(say, "never", fail=True)
        await database.run_short(say, "b")
        assert len(told) == 2
        await asyncio.gather(database.run(say, "c"), database.run_short(say, "d"))

    run(database, main)
    assert [json.loads(entry.body)["message"] for entry in told] == ["a", "b", "c", "d"]


@on_sqlite
def test_what_is_committed_counts_even_if_it_cannot_be_told(make_database, queue):
    def fail(entries):
        raise OSError("nobody listens")

    database, problems = make_database(on_commit=fail), []
    task = queue.submit()

    def say(store):
        log.append(store, records.find(store, task, None).key, LogEvent, message="hello")
        return "done"

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: problems.append(str(context["exception"])))
        return await database.run(say), await database.run_short(say)

    assert run(database, main) == ("done", "done")
    assert problems == ["nobody listens", "nobody listens"]


@on_sqlite
def test_the_log_of_many_short_ones_comes_home(make_database, where, monkeypatch):
    """By themselves they would leave everything in the log, for ever."""
    monkeypatch.setattr("gpugen_server.database.sqlite.CHECKPOINT", 50)
    monkeypatch.setattr("gpugen_server.database.pace.STRETCH", 20)
    database = make_database()
    pages = []

    async def main():
        for _ in range(400):
            await database.run_short(write)
        pages.append(where.with_name(where.name + "-wal").stat().st_size / 4096)

    run(database, main)
    assert 50 < pages[0] < 300


@on_sqlite
def test_after_the_end_nothing_runs_on_the_event_loop_either(database, where):
    """It would open a connection anew, and nobody would bring home what it leaves in the log."""
    run(database, lambda: database.run_short(write))
    assert not where.with_name(where.name + "-wal").exists()
    with pytest.raises(RuntimeError, match="after shutdown"):
        asyncio.run(database.run_short(write))
