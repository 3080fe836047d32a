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


class Server:
    """What a server tells of its use."""

    def __init__(self, database, last_use=lambda: 0.0, watchers=lambda: 0):
        self.database, self._last_use, self._watchers = database, last_use, watchers
        self.refused = []

    last_use = property(lambda self: self._last_use())
    watchers = property(lambda self: self._watchers())

    def refuse_tasks(self, refuse):
        self.refused.append(refuse)


def _seconds_until_idle(database, **what):
    async def scenario():
        since = time.monotonic()
        server = Server(database, **{"last_use": lambda: since, **what})
        try:
            async with asyncio.timeout(10):
                await until_idle(server, 0.2)
        finally:
            await database.close()
        assert server.refused == [True]
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


INSERT = (
    "INSERT INTO tasks (id, owner, priority, state, phase, phase_text, model, width, height, request,"
    " body_hash, attempt, released, max_attempts, cancel, created_at, last_seq, closed)"
    " VALUES ('t', 'u', 0, 'queued', 'queued', '', 'm', 8, 8, '{}', '', 0, 0, 3, 0, 0, 0, 0)"
)


def test_a_task_that_waits_keeps_it(database):
    database.call(lambda store: store.change(INSERT))
    database.disconnect()
    with pytest.raises(TimeoutError):
        _soon(Server(database))


def test_a_task_of_the_last_moment_keeps_it_and_the_next_ones_are_taken_again(database):
    class Late(Server):
        def refuse_tasks(self, refuse):
            if refuse:  # one more was on its way
                self.database._threads.submit(self.database.call, lambda store: store.change(INSERT))
            super().refuse_tasks(refuse)

    server = Late(database)
    with pytest.raises(TimeoutError):
        _soon(server)
    assert server.refused == [True, False]


def _soon(server):
    async def scenario():
        try:
            async with asyncio.timeout(1):
                await until_idle(server, 0.1)
        finally:
            await server.database.close()

    asyncio.run(scenario())
