"""How much a worker may write into a task's log."""

from gpugen_protocol.events import LogReport, PhaseReport, ProgressReport
from gpugen_server.queue import chatter
from gpugen_server.queue.chatter import Chatter

STEP = ProgressReport(image=0, step=1, steps=2)


def lines(count):
    return tuple(LogReport(message=str(number)) for number in range(count))


def test_a_burst_is_taken_whole_and_what_is_too_much_is_dropped():
    made = Chatter(lambda: 0.0)
    assert made.trim("l", lines(chatter.BURST)) == lines(chatter.BURST)
    assert made.trim("l", (*lines(3), STEP)) == (STEP,)


def test_with_the_next_line_comes_how_many_were_left_out():
    now = [0.0]
    made = Chatter(lambda: now[0])
    made.trim("l", lines(chatter.BURST + 7))
    now[0] = 1.0
    told, line = made.trim("l", lines(1))
    assert (told.level, told.message[:8], line.message) == ("warning", "7 lines ", "0")
    assert len(made.trim("l", lines(10))) == chatter.REFILL - 1


def test_each_lease_has_its_own_and_other_reports_cost_nothing():
    made = Chatter(lambda: 0.0)
    made.trim("one", lines(chatter.BURST))
    assert len(made.trim("two", lines(5))) == 5
    assert made.trim("one", (STEP,) * 200) == (STEP,) * 200


def test_those_long_gone_are_forgotten(monkeypatch):
    monkeypatch.setattr(chatter, "_MOST", 3)
    made = Chatter(lambda: 0.0)
    for name in "abcd":
        made.trim(name, lines(1))
    assert list(made._left) == ["b", "c", "d"]


def test_of_phases_a_lease_has_as_many_whatever_its_log_says():
    made = Chatter(lambda: 0.0)
    made.trim("l", lines(chatter.BURST + 1))
    assert len(made.trim("l", (PhaseReport(phase="drawing"),) * 200)) == chatter.BURST
