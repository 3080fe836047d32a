import asyncio
import time

import pytest

from gpugen_protocol.errors import StorageFull, TooManyRequests, Unauthorized
from gpugen_server import tokens
from gpugen_server.tokens import gate as gates
from gpugen_server.tokens.gate import Gate


@pytest.fixture
def ask(database):
    gate = Gate(database)
    loop = asyncio.new_event_loop()
    yield lambda header: loop.run_until_complete(gate.identify(header))
    loop.run_until_complete(database.close())
    loop.close()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer wrong", "wrong"])
def test_without_a_good_bearer_token_nobody_comes_in(ask, header):
    with pytest.raises(Unauthorized):
        ask(header)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(ask, database, scheme):
    token = database.call(tokens.create, "user", "ann").token
    assert ask(f"{scheme} {token}").user == "ann"


def test_a_token_revoked_elsewhere_is_refused_within_two_seconds(ask, database, monkeypatch):
    made = database.call(tokens.create, "user", "ann")
    ask(f"Bearer {made.token}")
    database.call(tokens.revoke, made.id)
    now = time.monotonic()
    monkeypatch.setattr(gates.time, "monotonic", lambda: now + 2.1)
    with pytest.raises(Unauthorized):
        ask(f"Bearer {made.token}")


def test_a_token_that_expires_is_refused_at_once_though_it_is_remembered(ask, database, monkeypatch):
    made = database.call(tokens.create, "user", "ann", "", 60.0)
    ask(f"Bearer {made.token}")
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 61)
    with pytest.raises(Unauthorized):
        ask(f"Bearer {made.token}")


def test_a_disk_too_full_to_note_the_use_of_a_token_keeps_nobody_out(ask, database, monkeypatch):
    made = database.call(tokens.create, "user", "ann")

    def full(*_):
        raise StorageFull

    monkeypatch.setattr(gates.keeper, "note_use", full)
    assert ask(f"Bearer {made.token}").user == "ann"


def test_the_use_of_a_token_is_noted(ask, database):
    made = database.call(tokens.create, "user", "ann")
    ask(f"Bearer {made.token}")
    assert database.call(tokens.listing)[0].last_used_at


def test_after_many_wrong_tokens_strangers_of_that_address_wait_and_friends_do_not(database):
    gate, loop = Gate(database), asyncio.new_event_loop()
    known, fresh = (database.call(tokens.create, "user", "ann").token for _ in range(2))

    def come(token, address):
        return loop.run_until_complete(gate.identify(f"Bearer {token}", address))

    come(known, "10.0.0.1")
    for number in range(60):
        with pytest.raises(Unauthorized):
            come(f"wrong{number}", "10.0.0.1")
    with pytest.raises(TooManyRequests) as refused:
        come(fresh, "10.0.0.1")
    assert refused.value.retry_after > 0
    assert come(fresh, "10.0.0.2").user == "ann"
    gate.forget()
    assert come(known, "10.0.0.1").user == "ann"
    loop.run_until_complete(database.close())
    loop.close()
