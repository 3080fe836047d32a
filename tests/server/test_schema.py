import pytest

from gpugen_protocol.errors import Misconfigured
from gpugen_server import schema

HOT = {
    "the next task": (
        "SELECT num FROM tasks WHERE state = 'queued' ORDER BY priority DESC, num LIMIT 1",
        "tasks_queued",
    ),
    "expired leases": (
        "SELECT num FROM tasks WHERE state = 'running' AND lease_until < 1 ORDER BY lease_until LIMIT 100",
        "tasks_running",
    ),
    "a user's key": ("SELECT id FROM tasks WHERE user = 'a' AND idempotency_key = 'k'", "tasks_key"),
    "a user's tasks": ("SELECT id FROM tasks WHERE user = 'a' ORDER BY num DESC LIMIT 50", "tasks_user"),
    "a lease": ("SELECT num FROM tasks WHERE id = 'a' AND lease = 'l' AND state = 'running'", "id"),
    "recent tasks": (
        "SELECT num FROM tasks WHERE state = 'succeeded' AND model = 'm' AND width = 1 AND height = 1"
        " ORDER BY num DESC LIMIT 20",
        "tasks_timed",
    ),
}


def test_a_fresh_database_has_the_newest_version(database):
    assert schema.version(database._peewee) == schema.VERSION


def test_migrating_twice_changes_nothing(database, queue):
    task = queue.submit()
    database.migrate()
    assert queue.state(task) == "queued"


def test_a_database_of_a_newer_gpugen_is_refused_with_a_sentence(database):
    database.call(lambda store: store.rows("PRAGMA user_version = 99"))
    with pytest.raises(Misconfigured, match="version 99") as refused:
        database.migrate()
    assert "newer" in refused.value.hint


@pytest.mark.parametrize("name", HOT)
def test_hot_statements_use_their_index_and_sort_nothing(database, name):
    sql, index = HOT[name]
    plan = " | ".join(row[3] for row in database.call(lambda store: store.rows(f"EXPLAIN QUERY PLAN {sql}")))
    assert index in plan
    assert "TEMP B-TREE" not in plan
    assert "SCAN tasks" not in plan or "USING" in plan
