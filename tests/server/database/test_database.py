import asyncio
import sqlite3
import threading
from contextlib import closing

import pytest

from gpugen_protocol.errors import NotFound, StorageFull, Unavailable
from gpugen_protocol.events import LogEvent
from gpugen_server.database import Database
from gpugen_server.events import log
from gpugen_server.queue import records

SLOW = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n
"""


def fill(store):
    for _ in range(200):
        store.change(
            "INSERT INTO events VALUES (1, (SELECT coalesce(max(seq), 0) + 1 FROM events), ?)", b"x" * 4000
        )


def count(store):
    return store.value("SELECT count(*) FROM events")


def limit_pages(store, pages):
    store.rows(f"PRAGMA max_page_count = {pages}")


on_sqlite = pytest.mark.parametrize("where", ["sqlite"], indirect=True)


@on_sqlite
def test_a_full_disk_is_named_and_changes_nothing(database):
    pages = database.call(lambda store: store.value("PRAGMA page_count"))
    database.call(limit_pages, pages + 20)
    with pytest.raises(StorageFull, match="full"):
        database.call(fill)
    assert database.call(count) == 0


@on_sqlite
def test_writing_works_again_once_there_is_room(database):
    pages = database.call(lambda store: store.value("PRAGMA page_count"))
    database.call(limit_pages, pages + 20)
    with pytest.raises(StorageFull):
        database.call(fill)
    database.call(limit_pages, 100_000)
    database.call(fill)
    assert database.call(count) == 200


@on_sqlite
def test_a_locked_database_is_unavailable_and_not_an_internal_error(make_database, monkeypatch):
    monkeypatch.setattr("gpugen_server.database.sqlite.BUSY_TIMEOUT", 0.05)
    one, two = make_database(), make_database()
    with one.engine.peewee.atomic("IMMEDIATE"), pytest.raises(Unavailable, match="locked"):
        two.call(count)


def test_an_error_of_ours_rolls_back_and_passes_unchanged(database):
    def write_and_refuse(store):
        store.change("INSERT INTO events VALUES (1, 1, ?)", b"x")
        raise NotFound("no")

    with pytest.raises(NotFound, match="no"):
        database.call(write_and_refuse)
    assert database.call(count) == 0


def test_events_are_told_after_the_commit_and_never_after_a_rollback(make_database, queue):
    told = []
    database = make_database(on_commit=told.extend)
    task = queue.submit()

    def say(store, fail):
        log.append(store, records.find(store, task, None).key, LogEvent, message="hello")
        assert not told
        if fail:
            raise NotFound

    async def main():
        await database.start()
        with pytest.raises(NotFound):
            await database.run(say, True)
        assert told == []
        await database.run(say, False)
        await database.close()

    asyncio.run(main())
    assert [entry.kind for entry in told] == ["log"]


def test_the_event_loop_goes_on_while_the_database_works(database):
    async def main():
        slow = asyncio.ensure_future(database.run(lambda store: store.value(SLOW)))
        turns = 0
        while not slow.done():
            await asyncio.sleep(0)
            turns += 1
        await database.close()
        return turns

    assert asyncio.run(main()) > 20


def test_a_new_file_has_small_pages_and_an_old_one_keeps_its_own(tmp_path):
    def page(path):
        database = Database(path)
        size = database.call(lambda store: store.value("PRAGMA page_size"))
        database.disconnect()
        return size

    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as old:
        old.executescript("PRAGMA page_size = 4096; PRAGMA journal_mode = wal; CREATE TABLE t (a)")
    assert (page(tmp_path / "new.db"), page(tmp_path / "old.db")) == (2048, 4096)


def test_full_synchronous_is_the_default(tmp_path):
    database = Database(tmp_path / "x.db")
    database.migrate()
    assert database.call(lambda store: store.value("PRAGMA synchronous")) == 2
    assert database.call(lambda store: store.value("PRAGMA journal_mode")) == "wal"
    database.disconnect()


def test_a_database_that_stands_still_is_unavailable_and_served_again_when_it_goes_on(database, monkeypatch):
    monkeypatch.setattr("gpugen_server.database.database.PATIENCE", 0.1)
    go_on = threading.Event()

    async def main():
        with pytest.raises(Unavailable, match="too long"):
            await asyncio.gather(
                *(database.run(lambda _: go_on.wait(30)) for _ in range(database.engine.threads))
            )
        with pytest.raises(Unavailable, match="too long"):
            await database.run(count)
        go_on.set()
        monkeypatch.setattr("gpugen_server.database.database.PATIENCE", 30.0)
        assert await database.run(count) == 0
        await database.close()

    asyncio.run(main())
