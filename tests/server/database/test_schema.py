"""The tables: versions, what is refused, and that every hot statement finds its index."""

import hashlib
import json
import random
import time
from pathlib import Path

import pytest

from gpugen_protocol.errors import Misconfigured
from gpugen_server.database import Database, schema, tables
from gpugen_server.events import log
from gpugen_server.images import accept
from gpugen_server.queue import claim, estimate, finish, lease, limits, place, reap, search, submit
from gpugen_server.queue.claim import Claimer
from gpugen_server.queue.workers import Ability
from gpugen_server.tokens import keeper

FITS, NEEDS = Ability((), 8, 9).fits(("model-1",))
LOOK = (1.0, "w", "handed to a worker", "w")
HOT = {
    "the head of the queue": (claim._HEAD.format(fits=FITS, lock=""), NEEDS, "tasks_queued"),
    "to take the head of the queue": (
        claim._CLAIM_HEAD.format(fits=FITS, lock=""),
        ("secret", 1.0, "w", 1.0, *NEEDS),
        "tasks_queued",
    ),
    "a task for the loaded model": (
        claim._FOR_THE_LOADED.format(loaded="?", fits=FITS, most=32),
        ("model-1", 0, *NEEDS),
        "tasks_queued",
    ),
    "whether leases expired": (claim._LOOK, LOOK, "tasks_running"),
    "whether a worker holds what it does not know of": (claim._LOOK, LOOK, "tasks_held"),
    "what a worker holds": (claim._AGAIN, ("w", "handed to a worker", 1), "tasks_held"),
    "expired leases": (reap._EXPIRED, (1.0,), "tasks_running"),
    "a lease": (lease._HELD, ("a", "l", "w"), "taskrow_id"),
    "the end of a lease": (finish._END, ("s", "t", None, 1.0, 1.0, 1.0, "h", "a", "l", "w"), "taskrow_id"),
    "the last turn served": (submit._LANE, ("user-1", 0, "user-1", 0), "tasks_turn"),
    "a lane's last turn": (submit._LANE, ("user-1", 0, "user-1", 0), "tasks_lane"),
    "a user's key": (submit._KEY, ("user-1", "k"), "tasks_key"),
    "how many of a user wait": (limits._OWN, ("user-1", 100), "tasks_lane"),
    "what goes before": (place._AHEAD, (5, 5, 1000), "tasks_queued"),
    "the front of the queue": (place._FRONT, (50,), "tasks_queued"),
    "recent speeds": (estimate._SPEEDS, ("model-1", 64, 64, 20), "tasks_timed"),
    "a page of events": (log._READ, (1, 0, 500), "events"),
}
FILLING = """
INSERT INTO tasks (id, owner, priority, turn, place, state, phase, phase_text, model, width, height, work,
  request, body_hash, attempt, released, max_attempts, cancel, created_at, finished_at, started_at, last_seq,
  closed,
  idempotency_key, lease, worker, lease_until)
VALUES (?, ?, 0, ?, ?, ?, 'queued', '', ?, 64, 64, 12, '{}', '', ?, 0, 3, 0, 1.0, ?, 1.0, 1, 0, ?, 'l', 'w',
  ?)
"""


def fill(store):
    """Enough rows of all kinds that an index is worth it, and statistics to see that by."""
    chance = random.Random(1)
    for number in range(4000):
        state = chance.choice(("queued", "running", "succeeded", "succeeded"))
        user, model = f"user-{chance.randrange(4)}", f"model-{chance.randrange(40)}"
        ended = 2.0 if state == "succeeded" else None
        row = (
            f"id{number}",
            user,
            number,
            number,
            state,
            model,
            int(state != "queued"),
            ended,
            f"k{number}",
            1e12,
        )
        store.change(FILLING, *row)
        store.change("INSERT INTO events (task_num, seq, body) VALUES (?, 1, ?)", number + 1, b"{}")
    store.change("ANALYZE")


@pytest.fixture(scope="module")
def plans(tmp_path_factory, postgres, postgres_template):
    """`plans(kind, sql, params)`: how a full database would go about a statement."""
    made = {
        "sqlite": Database(tmp_path_factory.mktemp("plans") / "x.db", "NORMAL"),
        "postgres": Database(postgres.make("plans", postgres_template)),
    }
    for database in made.values():
        database.migrate()
        database.call(fill)

    def plan(kind, sql, params):
        explain = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
        found = made[kind].call(lambda store: store.rows(explain + sql, *params))
        return "\n".join(str(row[3 if kind == "sqlite" else 0]) for row in found)

    yield plan
    for database in made.values():
        database.disconnect()
    postgres.drop("plans")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("name", HOT)
def test_hot_statements_use_their_index_and_sort_nothing_long(plans, kind, name):
    sql, params, index = HOT[name]
    plan = plans(kind, sql, params)
    assert index in plan
    if kind == "postgres":
        assert "Seq Scan on tasks" not in plan
        assert "Seq Scan on events" not in plan
    else:
        assert "SCAN tasks USING" in plan or "SCAN tasks" not in plan


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_head_of_the_queue_is_read_without_sorting(plans, kind):
    plan = plans(kind, *HOT["the head of the queue"][:2])
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_a_fresh_database_has_the_newest_version_and_all_tables(database):
    engine = database.engine
    assert database.call(engine.version) == schema.VERSION
    for table, columns in tables.columns().items():
        assert database.call(engine.columns, table) == columns
    database.check()


def test_migrating_twice_changes_nothing(database, queue):
    task = queue.submit()
    assert database.migrate() == schema.VERSION
    assert queue.state(task) == "queued"


def test_a_database_of_a_newer_gpugen_is_refused_with_a_sentence(database):
    database.call(database.engine.set_version, 99)
    for refuse in (database.migrate, database.check):
        with pytest.raises(Misconfigured, match="version 99") as refused:
            refuse()
        assert "newer" in refused.value.hint


def test_a_database_that_lacks_a_column_is_not_served(database):
    database.call(lambda store: store.change("ALTER TABLE tasks DROP COLUMN retry_of"))
    with pytest.raises(Misconfigured, match=r"lacks tasks\.retry_of"):
        database.check()


@pytest.fixture
def empty(where, request):
    """Where a database without any table is."""
    if isinstance(where, Path):
        yield where
        return
    postgres = request.getfixturevalue("postgres")
    yield postgres.make("empty")
    postgres.drop("empty")


def test_the_first_release_is_brought_up_to_date_with_its_rows_alive(empty):
    database = Database(empty, "NORMAL")
    database.call(schema.migrate, database.engine, target=1)
    for statement, row in OLD_ROWS:
        database.call(lambda store, sql, values: store.change(sql, *values), statement, row)
    with pytest.raises(Misconfigured, match=r"version 1.*needs") as refused:
        database.check()
    assert "gpugen db upgrade" in refused.value.hint
    assert database.migrate() == 1
    database.check()
    assert database.call(keeper.check, "gpg_u_old").user == "ann"
    assert database.call(search.events, "task-1", "ann", 0, 10).events == [(1, b"{}")]
    assert database.call(accept.find, "task-1", "ann", 0).file == "f"
    claimer = Claimer(worker="worker-1", models=(), count=3, lease_seconds=30.0)
    leases = database.call(claim.claim, claimer)
    assert [lease.task.id for lease in leases] == ["task-3", "task-2"], "by priority"
    assert database.call(lambda store: store.rows("SELECT prompt, work FROM tasks ORDER BY num")) == [
        (f"cat {number}", 36) for number in (1, 2, 3)
    ]
    database.disconnect()


def old_task(number, state, priority):
    request = {
        "prompt": f"cat {number}",
        "model": "emoji",
        "width": 128,
        "height": 128,
        "steps": 12,
        "guidance": 1.5,
        "seed": 1,
        "n": 3,
        "scheduler": "dpm++",
    }
    return (
        'INSERT INTO tasks (id, "user", priority, state, phase, phase_text, model, width, height, request,'
        " body_hash, attempt, released, max_attempts, cancel, created_at, last_seq, closed)"
        " VALUES (?, 'ann', ?, ?, 'queued', '', 'emoji', 128, 128, ?, 'h', 0, 0, 3, 0, 1.0, 1, 0)",
        (f"task-{number}", priority, state, json.dumps(request)),
    )


# As gpugen 0.1.0 wrote them.
OLD_ROWS = [
    old_task(1, "succeeded", 0),
    old_task(2, "queued", 0),
    old_task(3, "queued", 5),
    ("INSERT INTO events (task_num, seq, body) VALUES (1, 1, ?)", (b"{}",)),
    ("INSERT INTO images VALUES (1, 0, 1, 1, 128, 128, 9, 'sha', 'source', 'f')", ()),
    (
        "INSERT INTO workers VALUES ('worker-1', 'w', '[]', 0, 'CPU', '0.1.0', '{}', 'workers', 1.0, ?)",
        (time.time(),),
    ),
    (
        "INSERT INTO tokens VALUES ('t', ?, 'user', 'ann', '', NULL, NULL, 1.0, NULL, NULL, NULL)",
        (hashlib.sha256(b"gpg_u_old").hexdigest(),),
    ),
]


@pytest.mark.parametrize("where", ["postgres"], indirect=True)
def test_an_empty_database_of_many_servers_is_made_by_a_command_not_by_a_start(empty):
    database = Database(empty)
    with pytest.raises(Misconfigured, match="is empty") as refused:
        database.prepare()
    assert "gpugen db upgrade" in refused.value.hint
    assert database.migrate() == 0
    database.prepare()
    database.disconnect()
