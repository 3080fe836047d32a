import time

import pytest

from gpugen_protocol.errors import InvalidRequest, NotFound
from gpugen_server import tokens
from gpugen_server.tokens import keeper


def principal(database, text):
    return database.call(keeper.check, text)


@pytest.mark.parametrize("scope", ["user", "worker", "admin"])
def test_a_new_token_opens_its_own_scope(database, scope):
    made = database.call(tokens.create, scope, "ann")
    found = principal(database, made.token)
    assert (found.scope, found.user, found.token, found.worker) == (scope, "ann", made.id, None)
    assert made.token.startswith({"user": "gpg_u_", "worker": "gpg_w_", "admin": "gpg_a_"}[scope])


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_only_the_hash_is_stored(database, tmp_path):
    made = database.call(tokens.create, "user", "ann", "laptop")
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("gpugen.db*"))
    assert b"laptop" in stored
    assert made.token.encode() not in stored
    assert made.token.split("_", 2)[2].encode() not in stored


def test_an_expired_token_opens_nothing(database, monkeypatch):
    made = database.call(tokens.create, "user", "ann", "", 60.0)
    assert principal(database, made.token) is not None
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 61)
    assert principal(database, made.token) is None


def test_a_revoked_token_opens_nothing_and_revoking_twice_is_revoking_once(database):
    made = database.call(tokens.create, "user", "ann")
    database.call(tokens.revoke, made.id)
    (listed,) = database.call(tokens.listing)
    database.call(tokens.revoke, made.id)
    assert principal(database, made.token) is None
    assert database.call(tokens.listing) == [listed]


def test_revoking_nothing_is_an_error(database):
    with pytest.raises(NotFound):
        database.call(tokens.revoke, "none")


@pytest.mark.parametrize("text", ["", "gpg_u_", "nonsense", "' OR '1'='1", "x" * 10_000])
def test_other_texts_open_nothing(database, text):
    database.call(tokens.create, "user", "ann")
    assert principal(database, text) is None


def test_without_a_name_a_new_user_is_made(database):
    users = {database.call(tokens.create, "user").user for _ in range(5)}
    assert len(users) == 5


@pytest.mark.parametrize("name", ["a b", "../x", "-x", "é", "x" * 65])
def test_a_user_must_have_a_plain_name(database, name):
    with pytest.raises(InvalidRequest):
        database.call(tokens.create, "user", name)


def test_the_list_shows_when_a_token_was_used_but_never_its_text(database):
    made = database.call(tokens.create, "user", "ann", "laptop")
    database.call(keeper.note_use, principal(database, made.token).token)
    (listed,) = database.call(tokens.listing, "ann")
    assert (listed.id, listed.name, listed.user) == (made.id, "laptop", "ann")
    assert listed.last_used_at is not None
    assert database.call(tokens.listing, "bob") == []


@pytest.fixture
def opener(database):
    """Who registers workers."""
    return principal(database, database.call(tokens.create, "worker", "ann").token)


def test_a_session_token_names_its_worker_and_is_not_listed(database, opener):
    text = database.call(tokens.open_session, "w1", opener)
    found = principal(database, text)
    assert (found.scope, found.worker, found.user) == ("worker", "w1", "ann")
    assert found.expires_at <= time.time() + 3600
    assert [token.id for token in database.call(tokens.listing)] == [opener.token]


def test_a_session_ends_with_the_token_that_opened_it_however_often_it_was_renewed(database, opener):
    session = database.call(tokens.open_session, "w1", opener)
    renewed = database.call(tokens.open_session, "w1", principal(database, session))
    assert principal(database, renewed) is not None
    database.call(tokens.revoke, opener.token)
    assert principal(database, renewed) is None
    assert principal(database, session) is None


def test_expired_session_tokens_are_swept(database, opener, monkeypatch):
    database.call(tokens.open_session, "w1", opener)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 3601)
    database.call(tokens.open_session, "w2", opener)
    left = database.call(lambda store: store.rows("SELECT worker FROM tokens WHERE worker IS NOT NULL"))
    assert left == [("w2",)]
