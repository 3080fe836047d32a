"""How long the server counts as away."""

from __future__ import annotations

import pytest

from gpugen_client.outage import LONGEST_TRY, Outage


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> Outage:
    return Outage(120.0, clock)


def fail_for(outage: Outage, clock: Clock, seconds: float) -> None:
    """A failure every second."""
    for _ in range(round(seconds)):
        outage.fail()
        clock.now += 1.0


def test_nothing_lasts_before_the_first_failure_and_after_an_answer(outage: Outage) -> None:
    assert not outage.lasts
    outage.fail()
    assert outage.lasts
    outage.end()
    assert not outage.lasts


def test_trying_is_hopeless_after_the_patience_was_spent_on_it(outage: Outage, clock: Clock) -> None:
    fail_for(outage, clock, 120)
    assert not outage.hopeless
    fail_for(outage, clock, 3)
    assert outage.hopeless


def test_an_answer_gives_all_of_the_patience_back(outage: Outage, clock: Clock) -> None:
    fail_for(outage, clock, 119)
    outage.end()
    fail_for(outage, clock, 119)
    assert not outage.hopeless


def test_the_silence_before_the_first_failure_does_not_count(outage: Outage, clock: Clock) -> None:
    clock.now += 3600.0
    outage.fail()
    assert not outage.hopeless


def test_an_hour_asleep_counts_as_one_attempt(outage: Outage, clock: Clock) -> None:
    fail_for(outage, clock, 10)
    clock.now += 3600.0
    fail_for(outage, clock, 120 - 10 - LONGEST_TRY - 1)
    assert not outage.hopeless
