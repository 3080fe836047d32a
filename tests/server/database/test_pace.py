import pytest

from gpugen_server.database.pace import CALM, FIRST_PAUSE, LONGEST_PAUSE, SLOW, STRETCH, Pace

TICK = FIRST_PAUSE / 8


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(clock):
    return Pace(clock)


def pause_after_a_slow_one(pace, clock):
    pace.note(2 * SLOW)
    pace.turn()
    began = clock.seconds
    while not pace.allows_one():
        clock.seconds += TICK
    return clock.seconds - began


def test_quick_ones_stay_on_the_event_loop(pace):
    for _ in range(STRETCH):
        assert pace.allows_one()
        pace.note(SLOW / 10)
        pace.turn()


def test_quick_ones_that_are_slow_together_leave_the_rest_of_a_turn_to_the_thread(pace):
    together = 0
    while pace.allows_one():
        pace.note(SLOW / 10)
        together += 1
    assert 10 <= together <= 11
    pace.turn()
    assert pace.allows_one()


def test_a_slow_one_is_followed_by_a_pause_that_doubles_up_to_a_bound(pace, clock):
    pauses = [pause_after_a_slow_one(pace, clock) for _ in range(16)]
    assert pauses[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE], abs=TICK)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE, abs=TICK)


def test_many_quick_ones_make_up_for_slow_ones(pace, clock):
    pauses = [pause_after_a_slow_one(pace, clock) for _ in range(3)]
    assert pauses[-1] == pytest.approx(4 * FIRST_PAUSE, abs=TICK)
    for _ in range(CALM):
        pace.note(SLOW / 10)
    assert pause_after_a_slow_one(pace, clock) == pytest.approx(FIRST_PAUSE, abs=TICK)


def test_one_in_many_goes_to_the_thread(pace):
    allowed = [pace.allows_one() for _ in range(3 * (STRETCH + 1))]
    assert allowed.count(False) == 3
    assert not allowed[STRETCH]
