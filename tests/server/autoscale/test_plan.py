"""Tests of the autoscaler's policy: one moment in, single steps out."""

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpugen_server.autoscale.machine import Machine, Sighting
from gpugen_server.autoscale.plan import (
    Recent,
    Rules,
    Scene,
    Step,
    Work,
    desired,
    missing,
    pause,
    steps,
)

RULES = Rules(max_workers=2, boot=900, idle=600, silent=180)
NOW = 1_000_000.0
RUNNING = Sighting(state="running")
ENDED = Sighting(state="ended", text="it was stopped")


def _machine(id="a", age=100.0, **fields):
    """One that works, unless `fields` say otherwise."""
    usual = {"worker": f"worker-{id}", "asked_at": NOW - age, "up_at": NOW - age, "busy_at": NOW - 1}
    return Machine(id=id, name=f"gpugen-{id}", created_at=NOW - age, **{**usual, **fields})


def _steps(*machines, rules=RULES, seen=None, wanted=9, **scene):
    sightings = {each.name: RUNNING for each in machines} if seen is None else seen
    heard = {each.id: NOW - 1 for each in machines if each.worker}
    known = {"machines": machines, "sightings": sightings, "heard": heard, "wanted": wanted, **scene}
    return steps(rules, Scene(now=NOW, **known))


def _kinds(*machines, **scene):
    return [(step.kind, step.name) for step in _steps(*machines, **scene)]


@pytest.mark.parametrize(
    ("work", "limit", "wanted"),
    [
        (Work(), 5, 0),
        (Work(waiting=1), 5, 1),
        (Work(waiting=1, seconds=0.1), 5, 1),
        (Work(waiting=1000), 1, 1),
        (Work(waiting=3), 5, 3),  # nobody knows how long they take: one each
        (Work(waiting=100, seconds=900), 5, 3),
        (Work(waiting=100, running=2, seconds=900), 5, 5),
        (Work(waiting=100, running=1, seconds=300), 5, 2),
        (Work(waiting=9, running=1, seconds=299), 5, 1),  # done before another one would be there
        (Work(waiting=1, running=1, seconds=9, left=900), 5, 2),  # a short one behind a long one
        (Work(waiting=1, running=1, seconds=9, left=None), 5, 2),
        (Work(waiting=1, running=3, seconds=9, left=600), 5, 3),  # one of the three is free before
        (Work(waiting=2, seconds=90_000), 5, 2),  # never more workers than tasks
        (Work(running=4), 5, 4),
        (Work(running=4, seconds=0.0), 3, 3),
    ],
)
def test_the_queue_is_worth_none_one_or_more_workers(work, limit, wanted):
    assert desired(work, Rules(max_workers=limit, backlog=300)) == wanted


def test_machines_that_come_up_and_workers_of_others_need_not_be_asked_for():
    assert missing(2, RULES, []) == 2
    assert missing(2, RULES, [_machine(worker=None)]) == 1
    assert missing(2, RULES, [], others=1) == 1
    assert missing(1, RULES, [], others=3) == 0


def test_one_that_leaves_is_of_no_use_but_still_counts_against_the_limit():
    leaving = _machine(leaving="it was idle")
    assert missing(2, RULES, [leaving]) == 1
    assert missing(2, RULES, [leaving, _machine("b")]) == 0


def test_after_each_failure_in_a_row_the_pause_is_twice_as_long():
    rules = Rules(pause=2, longest_pause=60)
    assert [pause(rules, failures) for failures in range(8)] == [0, 2, 4, 8, 16, 32, 60, 60]


def test_the_most_that_was_wanted_is_remembered_for_the_window():
    recent = Recent(100)
    assert [recent.note(at, wanted) for at, wanted in ((0, 3), (50, 1), (99, 2), (100, 0))] == [3, 3, 3, 3]
    assert recent.note(101, 0) == 2
    assert recent.note(200, 0) == 0


def test_a_machine_that_works_is_left_alone():
    assert _steps(_machine()) == []


def test_a_wish_is_asked_for_until_it_is_known_to_have_been():
    wish = _machine(asked_at=None, up_at=None, worker=None)
    assert _kinds(wish, seen={}) == [("ask", "gpugen-a")]
    assert _kinds(wish) == [("asked", "gpugen-a"), ("up", "gpugen-a")]  # its answer got lost
    old = _machine(asked_at=None, up_at=None, worker=None, age=1000)
    assert _kinds(old, seen={}) == [("ended", "gpugen-a")]


def test_a_stopped_machine_is_asked_to_start_and_has_time_to():
    wish = _machine(asked_at=None, up_at=None, worker=None)
    assert _kinds(wish, seen={wish.name: ENDED}) == [("ask", "gpugen-a")]
    asked = _machine(operation="op", up_at=None, worker=None)
    assert _steps(asked, seen={asked.name: ENDED}) == []
    settled = Sighting(state="ended", settled=True, text="it was stopped")
    assert _kinds(asked, seen={asked.name: settled}) == [("ended", "gpugen-a")]


def test_one_that_was_asked_for_may_take_a_while_to_be_seen():
    young = _machine(worker=None, up_at=None, age=30)
    assert _steps(young, seen={}) == []
    assert _kinds(_machine(worker=None, up_at=None, age=70), seen={}) == [("ended", "gpugen-a")]
    slow = _machine(worker=None, up_at=None, age=800, operation="op")
    assert _steps(slow, seen={}) == []
    never = _machine(worker=None, up_at=None, age=1000, operation="op")
    assert _kinds(never, seen={}) == [("ended", "gpugen-a")]


def test_what_was_asked_is_settled_once():
    starting = _machine(worker=None, up_at=None, operation="op")
    seen = {starting.name: Sighting(state="starting", settled=True)}
    assert _kinds(starting, seen=seen) == [("settled", "gpugen-a")]
    seen = {starting.name: Sighting(state="running", settled=True)}
    assert _kinds(starting, seen=seen) == [("settled", "gpugen-a"), ("up", "gpugen-a")]


def test_a_failure_of_what_was_asked_ends_it_or_has_it_removed_if_it_is_there_all_the_same():
    asked = _machine(worker=None, up_at=None, operation="op")
    gone = Sighting(state="ended", text="no more there", failed=True)
    assert _steps(asked, seen={asked.name: gone}) == [Step("ended", asked.name, "no more there", failed=True)]
    there = Sighting(state="running", text="no more there", failed=True)
    assert _steps(asked, seen={asked.name: there})[-1] == Step("leave", asked.name, "no more there")


def test_a_machine_that_cost_money_and_never_had_a_worker_has_failed():
    useless = _machine(worker=None)
    assert _steps(useless, seen={useless.name: ENDED}) == [
        Step("ended", useless.name, "it was stopped", failed=True)
    ]
    useful = _machine(busy_at=NOW - 601)
    assert _steps(useful, seen={useful.name: ENDED}) == [Step("ended", useful.name, "it was stopped")]
    asked_to = _machine(worker=None, leaving="it did not show up")
    assert _steps(asked_to, seen={}) == [Step("ended", asked_to.name, "it did not show up", failed=True)]


def test_one_that_was_taken_away_is_over_whatever_its_worker_did():
    assert _steps(_machine(busy_at=NOW - 601), seen={}) == [Step("ended", "gpugen-a", "it was taken away")]


def test_one_that_ended_before_it_was_idle_for_its_time_or_fell_silent_was_cut_off():
    assert _steps(_machine(), seen={}) == [Step("cut", "gpugen-a", "it was taken away")]
    assert _steps(_machine(), seen={"gpugen-a": ENDED}) == [Step("cut", "gpugen-a", "it was stopped")]
    (silent,) = _steps(_machine(), heard={"a": NOW - 200})
    left = _machine(leaving=silent.why)
    assert _steps(left, seen={}) == [Step("cut", "gpugen-a", "the machine's worker was silent for 180 s")]
    needless = _machine(leaving="fewer workers are needed")
    assert _kinds(needless, seen={}, waiting=True) == [("ended", "gpugen-a")]
    idle = _machine(leaving="it was idle for 600 s")
    assert _kinds(idle, seen={}) == [("ended", "gpugen-a")]
    assert _kinds(idle, seen={}, waiting=True) == [("cut", "gpugen-a")]  # it took none of them


def test_a_worker_that_does_not_show_up_costs_its_machine():
    assert _steps(_machine(worker=None, age=800)) == []
    (step,) = _steps(_machine(worker=None, age=1000))
    assert (step.kind, step.why) == ("leave", "the machine's worker did not show up within 900 s")


def test_so_does_one_that_is_silent_and_one_that_is_idle():
    (silent,) = _steps(_machine(), heard={"a": NOW - 200})
    assert "silent" in silent.why
    idle = _machine(busy_at=NOW - 661, age=5000)
    assert "idle" in _steps(idle)[0].why
    assert _steps(idle, busy={"a"}) == []
    assert _steps(_machine(busy_at=NOW - 650, age=5000)) == []


def test_a_server_that_was_away_gives_those_it_missed_their_time():
    assert _steps(_machine(), heard={"a": NOW - 5000}, since=NOW - 100) == []
    assert len(_steps(_machine(), heard={"a": NOW - 5000}, since=NOW - 200)) == 1
    idle = _machine(busy_at=NOW - 3000, age=5000)
    assert _steps(idle, since=NOW - 100) == []
    assert len(_steps(idle, since=NOW - 700)) == 1
    assert _steps(_machine(worker=None, age=5000), since=NOW - 100) == []
    assert len(_steps(_machine(worker=None, age=5000), since=NOW - 200)) == 1


ASIDE = "the machine's worker failed at several tasks in a row"


def test_one_whose_worker_is_set_aside_while_tasks_wait_goes_so_that_another_one_can_come():
    useless = _machine()
    one = Rules(max_workers=1)
    assert _steps(useless, rules=one, aside={"a"}) == []  # nothing waits
    assert _steps(useless, rules=one, aside={"a"}, waiting=True) == [Step("leave", "gpugen-a", ASIDE)]
    assert _steps(useless, rules=one, aside={"a"}, busy={"a"}, waiting=True) == []
    gone = _machine(leaving=ASIDE)
    assert _steps(gone, seen={}, waiting=False) == [Step("cut", "gpugen-a", ASIDE)]


def test_of_several_set_aside_the_next_one_goes_only_when_the_successor_of_the_last_is_there():
    a, b = _machine("a"), _machine("b")
    both = {"aside": {"a", "b"}, "waiting": True}
    assert _kinds(a, b, **both) == [("leave", "gpugen-a")]
    going = _machine("a", leaving=ASIDE)
    assert _kinds(going, b, **both) == [("leave", "gpugen-a")]
    assert _kinds(b, **both) == []  # the successor is still to be asked for
    assert _kinds(b, _machine("c", worker=None), **both) == []
    assert _kinds(b, _machine("c"), **both) == [("leave", "gpugen-b")]
    silent = _kinds(a, b, heard={"a": NOW - 1, "b": NOW - 200}, **both)
    assert silent == [("leave", "gpugen-b")]


def test_one_that_was_told_to_leave_is_told_again_until_it_is_gone():
    leaving = _machine(leaving="it was idle")
    assert _steps(leaving) == [Step("leave", leaving.name, "it was idle")]
    assert _steps(leaving, seen={}) == [Step("ended", leaving.name, "it was idle")]


def test_what_no_row_knows_is_removed_unless_it_is_stopped():
    seen = {"gpugen-x": RUNNING, "gpugen-y": ENDED}
    assert _kinds(seen=seen) == [("stray", "gpugen-x")]


def test_of_too_many_the_one_idle_for_longest_goes_and_a_busy_one_last_once_it_is_done():
    busy = _machine("a", busy_at=NOW)
    idle, idler = _machine("b", busy_at=NOW - 50), _machine("c", busy_at=NOW - 100)
    assert _kinds(busy, idle, idler, busy={"a"}) == [("leave", "gpugen-c")]
    assert _kinds(busy, idle, idler, busy={"a", "b", "c"}) == [("drain", "gpugen-c")]


def test_one_that_is_drained_finishes_its_task_then_leaves_and_no_other_goes_for_it():
    drained = _machine("a", leaving="fewer workers are needed", busy_at=NOW)
    working = _machine("b", busy_at=NOW - 9)
    one = Rules(max_workers=1)
    assert _kinds(drained, working, rules=one, busy={"a", "b"}) == []
    assert _kinds(drained, working, rules=one, busy={"b"}) == [("leave", "gpugen-a")]
    assert missing(2, one, [drained, working]) == 0


def test_one_that_is_drained_and_falls_silent_or_fails_leaves_at_once():
    drained = _machine("a", leaving="fewer workers are needed")
    (step,) = _steps(drained, busy={"a"}, heard={"a": NOW - 181})
    assert (step.kind, step.why) == ("leave", "the machine's worker was silent for 180 s")
    failing = {drained.name: Sighting(state="running", failed=True)}
    assert _kinds(drained, busy={"a"}, seen=failing) == [("leave", "gpugen-a")]


def test_one_that_must_go_for_another_reason_is_told_again_also_while_it_is_busy():
    leaving = _machine("a", leaving="the machine's worker was silent for 180 s")
    assert _kinds(leaving, busy={"a"}) == [("leave", "gpugen-a")]


def test_what_was_not_needed_within_the_window_goes_once_it_is_idle():
    busy, idle, new = _machine("a"), _machine("b", busy_at=NOW - 50), _machine("c", worker=None)
    rules = Rules(max_workers=5)
    assert _kinds(busy, idle, new, rules=rules, busy={"a"}, wanted=1) == [("leave", "gpugen-b")]
    assert _kinds(busy, idle, new, rules=rules, busy={"a"}, wanted=3) == []


AGES = st.sampled_from([None, 1, 100, 1_000, 10_000])
SEEN = st.sampled_from(
    [
        None,
        *(
            Sighting(state=state, settled=settled, failed=failed)
            for state in ("starting", "running", "ended")
            for settled in (True, False)
            for failed in (True, False)
        ),
    ]
)
MACHINES = st.tuples(
    AGES,
    AGES,
    AGES,
    st.sampled_from(["", "op"]),
    st.sampled_from([None, "w"]),
    st.sampled_from(["", "go", "fewer workers are needed"]),
    SEEN,
)


def _ago(age):
    return None if age is None else NOW - age


@settings(max_examples=150, deadline=None)
@given(
    st.lists(MACHINES, max_size=5),
    st.integers(0, 3),
    st.integers(1, 3),
    AGES,
    st.integers(0, 5),
    st.sets(st.sampled_from("01234")),
)
@example([(None, None, None, "", "w", "", None)], 0, 1, 1, 0, {"0"})  # still to be asked for, and set aside
def test_whatever_there_is_each_machine_has_one_fate_and_too_many_never_stay(
    drawn, wanted, most, since, number_busy, aside
):
    machines, sightings = [], {}
    for place, (asked, up, busy_at, operation, worker, leaving, seen) in enumerate(drawn):
        times = {"asked_at": _ago(asked), "up_at": _ago(up), "busy_at": _ago(busy_at)}
        rest = {"operation": operation, "worker": worker, "leaving": leaving}
        machines.append(Machine(str(place), f"m{place}", created_at=NOW - 20_000, **times, **rest))
        if seen is not None:
            sightings[f"m{place}"] = seen
    rules = Rules(max_workers=most)
    busy = {machine.id for machine in machines[:number_busy] if machine.worker}
    heard = {machine.id: NOW - 10 for machine in machines if machine.worker}
    scene = Scene(
        now=NOW,
        since=_ago(since) or 0.0,
        machines=machines,
        sightings=sightings,
        heard=heard,
        busy=busy,
        aside=aside,
        waiting=True,
        wanted=wanted,
    )
    found = steps(rules, scene)
    fates = Counter(step.name for step in found if step.kind in {"ask", "drain", "leave", "ended", "cut"})
    assert all(count == 1 for count in fates.values())
    over = {step.name for step in found if step.kind in {"drain", "leave", "ended", "cut"}}
    over |= {each.name for each in machines if each.id in busy and each.leaving.startswith("fewer")}
    assert not {step.name for step in found if step.kind == "drain"} - {f"m{id}" for id in busy}
    staying = [each for each in sightings if sightings[each].state != "ended" and each not in over]
    assert len(staying) <= most
    assert {machine.name for machine in machines if machine.leaving and machine.name in sightings} <= over | {
        machine.name for machine in machines if machine.operation
    }
    present = [
        machine
        for machine in machines
        if machine.name not in {s.name for s in found if s.kind in {"ended", "cut"}}
    ]
    assert len(present) + missing(wanted, rules, present) <= max(most, len(present))
