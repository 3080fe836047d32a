"""Tests of when a private server is idle."""

import asyncio
import time

import pytest

from gpugen_server.database import Database
from gpugen_server.idle import until_idle


@pytest.fixture
def database(tmp_path):
    made = Database(tmp_path / "gpugen.db", "NORMAL")
    made.migrate()
    made.disconnect()
    return made


def _seconds_until_idle(database, **what):
    async def scenario():
        since = time.monotonic()
        try:
            async with asyncio.timeout(10):
                await until_idle(
                    database, **{"last_use": lambda: since, "watchers": lambda: 0, "seconds": 0.2, **what}
                )
        finally:
            await database.close()
        return time.monotonic() - since

    return asyncio.run(scenario())


def test_it_is_idle_after_its_time_without_anything(database):
    assert 0.2 <= _seconds_until_idle(database) < 2


def test_each_request_begins_the_time_anew(database):
    end = time.monotonic() + 0.5
    assert _seconds_until_idle(database, last_use=lambda: min(time.monotonic(), end)) >= 0.5


def test_whoever_watches_keeps_it(database):
    end = time.monotonic() + 0.5
    assert _seconds_until_idle(database, watchers=lambda: int(time.monotonic() < end)) >= 0.5


def test_a_task_that_waits_keeps_it(database):
    insert = (
        "INSERT INTO tasks (id, user, priority, state, phase, phase_text, model, width, height, request,"
        " body_hash, attempt, released, max_attempts, cancel, created_at, last_seq, closed)"
        " VALUES ('t', 'u', 0, 'queued', 'queued', '', 'm', 8, 8, '{}', '', 0, 0, 3, 0, 0, 0, 0)"
    )
    database.call(lambda store: store.change(insert))
    database.disconnect()
    with pytest.raises(TimeoutError):
        _soon(database)


def _soon(database):
    async def scenario():
        try:
            async with asyncio.timeout(1):
                await until_idle(database, last_use=lambda: 0.0, watchers=lambda: 0, seconds=0.1)
        finally:
            await database.close()

    asyncio.run(scenario())
