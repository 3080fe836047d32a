import pytest

from gpugen_server.tokens import throttle as throttles
from gpugen_server.tokens.throttle import Throttle


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(throttles.time, "monotonic", lambda: now[0])
    return now


def taken(throttle, key, most=1000):
    """How many `key` gets at once."""
    return next((count for count in range(most) if throttle.take(key)), most)


def test_a_minutes_worth_comes_at_once_and_then_one_after_the_other(clock):
    throttle = Throttle(60)
    assert taken(throttle, "a") == 60
    assert throttle.wait("a") == pytest.approx(1.0)
    clock[0] += 1.0
    assert taken(throttle, "a") == 1
    clock[0] += 3600
    assert taken(throttle, "a") == 60


def test_one_key_does_not_use_up_what_another_has(clock):
    throttle = Throttle(2)
    assert (taken(throttle, "a"), taken(throttle, "b")) == (2, 2)


def test_zero_is_any_number(clock):
    assert taken(Throttle(0), "a") == 1000


def test_a_machine_with_many_addresses_counts_once(clock):
    throttle = Throttle(10)
    assert sum(not throttle.take(f"2001:db8::{number:x}") for number in range(100)) == 10
    assert throttle.take("2001:db8:0:1::1") == 0


def test_what_it_remembers_is_bounded(clock):
    throttle = Throttle(60)
    for number in range(25_000):
        throttle.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle._due) <= 10_000


@pytest.mark.parametrize("odd", ["", "nonsense", ":", "fe80::1%eth0", "/run/a.sock"])
def test_odd_addresses_are_keys_like_others(clock, odd):
    assert taken(Throttle(3), odd) == 3
