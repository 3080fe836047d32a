"""A connection to PostgreSQL below psycopg's cursors: its transactions, errors, and what is prepared."""

import threading

import psycopg
import pytest

from gpugen_server.database import session as sessions
from gpugen_server.database.session import Session

CANCEL = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND state = 'active' AND query = 'SELECT pg_sleep(5)'
"""
PREPARED = "SELECT count(*) FROM pg_prepared_statements"


@pytest.fixture
def connection(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def session(connection):
    return Session(connection)


def count(session):
    return session.execute("SELECT count(*) FROM duties", ()).fetchall()[0][0]


def add(name):
    return ("INSERT INTO duties (name, holder, until) VALUES (?, ?, ?)", (name, "h", 1.0))


def test_values_come_back_as_they_went(session):
    values = ("ä?%s", 2**40, 1.5, None, b"\0\xff")
    sql = "SELECT ?::text, ?::bigint, ?::double precision, ?::text, ?::bytea"
    assert session.execute(sql, values).fetchall() == [values]


def test_a_transaction_is_committed_with_its_last_statements_or_undone(session):
    session.begin()
    assert session.execute(*add("a")).rowcount == 1
    session.commit([add("b"), add("c")])
    session.begin()
    session.execute(*add("d"))
    session.roll_back()
    assert count(session) == 3


def test_one_bad_statement_among_the_last_keeps_all_from_being_committed(session):
    session.begin()
    session.execute(*add("a"))
    with pytest.raises(psycopg.errors.UniqueViolation):
        session.commit([add("b"), add("a"), add("c")])
    session.roll_back()
    assert count(session) == 0


def test_a_first_statement_that_fails_leaves_a_connection_that_goes_on(session):
    session.begin()
    with pytest.raises(psycopg.errors.UndefinedTable):
        session.execute("SELECT * FROM nowhere", ())
    assert not session.was_gone
    session.roll_back()
    assert count(session) == 0


def test_a_value_that_no_column_holds_is_refused_before_anything_is_sent(session):
    with pytest.raises(psycopg.ProgrammingError):
        session.execute("SELECT ?", (object(),))
    assert count(session) == 0


def test_what_is_prepared_outlives_a_rollback_and_is_bounded(session, monkeypatch):
    def prepared():
        return session.execute(PREPARED, ()).fetchall()[0][0]

    for number in range(5):
        session.begin()
        session.execute(f"SELECT {number}", ())
        session.roll_back()
    assert prepared() == 7  # and BEGIN, and this look
    monkeypatch.setattr(sessions, "_MOST_PREPARED", 3)
    session.begin()
    assert prepared() == 2


def test_who_waits_for_an_answer_holds_no_other_thread_up(session, connection, postgres_url):
    def cancel():
        with psycopg.connect(postgres_url, autocommit=True) as other:
            while not other.execute(CANCEL, (connection.info.backend_pid,)).fetchall():
                pass

    canceler = threading.Thread(target=cancel)
    canceler.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute("SELECT pg_sleep(5)", ())
    canceler.join()
