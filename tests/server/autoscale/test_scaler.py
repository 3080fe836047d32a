"""Tests of the autoscaler's loop, with machines that only pretend."""

import asyncio

import pytest
from tests.fakes import until
from tests.server.autoscale.pretended import Pretended

from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale import machines
from gpugen_server.autoscale.machine import Sighting
from gpugen_server.autoscale.plan import Rules
from gpugen_server.autoscale.provider import WORKER_USER
from gpugen_server.autoscale.scaler import Autoscaler
from gpugen_server.queue import workers
from gpugen_server.tokens import keeper


@pytest.fixture
def provider():
    return Pretended()


@pytest.fixture
def scaler(queue, provider):
    """Its methods run one after the other, each in an event loop of its own."""
    yield _scaler(queue, provider)
    asyncio.run(queue.database.close())


def _scaler(queue, provider, max_cost=0.0, **rules):
    return Autoscaler(queue.database, provider, Rules(**rules), live_seconds=30, max_cost=max_cost)


def _reconcile(scaler, times=1):
    for _ in range(times):
        asyncio.run(scaler.reconcile())


def _arrive(queue, provider, *models):
    """The worker of the machine that was started last introduces itself; gives its id."""
    worker = queue.worker(WORKER_USER, *models)
    opener = queue.database.call(keeper.check, provider.tokens[provider.started[-1]])
    queue.database.call(machines.serve, opener.token, worker)
    return worker


def _as_light_server(provider):
    provider.failure = TaskFailure(
        code="missing_extra", message="No worker can start here.", hint="pip install 'gpugen[worker]'"
    )


def test_nothing_starts_while_nothing_waits(scaler, provider):
    _reconcile(scaler)
    assert provider.started == []


def test_a_task_that_waits_starts_one_worker_and_is_told(scaler, provider, queue):
    task = queue.submit()
    _reconcile(scaler, 2)
    assert len(provider.started) == 1
    assert queue.task(task) == ("queued", "starting", "Starting a worker on this machine")
    later = queue.submit()
    _reconcile(scaler)
    assert len(provider.started) == 1
    assert queue.task(later)[1] == "starting"
    assert [event["type"] for event in queue.events(task)].count("phase") == 2


def test_a_machine_that_is_there_and_boots_is_another_stage_than_one_that_was_asked_for(
    scaler, provider, queue
):
    task = queue.submit()
    _reconcile(scaler)
    provider.shown[provider.started[0]] = Sighting(state="running")
    _reconcile(scaler)
    assert queue.task(task)[2] == "The machine is there, its worker is coming up: this machine"


def test_a_worker_of_somebody_else_makes_another_one_needless(scaler, provider, queue):
    queue.worker("ann")
    queue.submit()
    _reconcile(scaler)
    assert provider.started == []


def test_one_who_serves_only_part_of_what_waits_does_not(scaler, provider, queue):
    queue.worker("ann", "emoji")
    queue.submit("emoji")
    queue.submit("sdxl")
    _reconcile(scaler)
    assert len(provider.started) == 1


def test_while_a_machine_comes_for_some_those_whom_somebody_else_will_draw_hear_nothing_of_it(
    scaler, provider, queue
):
    queue.worker("ann", "emoji")
    served, alone = queue.submit("emoji"), queue.submit("sdxl")
    before = queue.task(served)
    _reconcile(scaler, 2)
    assert queue.task(alone) == ("queued", "starting", "Starting a worker on this machine")
    assert queue.task(served) == before
    provider.end("It crashed.")
    _reconcile(scaler)
    assert "trying again" in queue.task(alone)[2]
    assert queue.task(served) == before


def test_when_somebody_comes_who_draws_some_of_it_only_the_rest_goes_on_to_hear_of_the_machine(
    scaler, provider, queue
):
    served, alone = queue.submit("emoji"), queue.submit("sdxl")
    _reconcile(scaler)
    assert [queue.task(task)[1] for task in (served, alone)] == ["starting"] * 2
    queue.worker("ann", "emoji")
    _reconcile(scaler, 2)
    assert queue.task(served) == ("queued", "queued", "next in line")
    assert queue.task(alone) == ("queued", "starting", "Starting a worker on this machine")
    assert len(queue.events(alone)) == 5  # the submit's two, the machine, what it waits for, the machine


def test_more_tasks_never_start_more_workers_than_allowed(queue, provider):
    scaler = _scaler(queue, provider, max_workers=2)
    for _ in range(5):
        queue.submit()
    _reconcile(scaler, 4)
    assert len(provider.started) == 2


def test_who_has_a_worker_to_wait_for_hears_nothing_of_one_more_machine(queue, provider):
    scaler = _scaler(queue, provider, max_workers=2)
    first = queue.submit()
    _reconcile(scaler)
    queue.claim(_arrive(queue, provider))
    _reconcile(scaler)
    second = queue.submit()
    _reconcile(scaler)
    assert len(provider.started) == 2
    provider.end()
    _reconcile(scaler)
    assert "It crashed; trying again" in scaler.describe()
    assert (queue.task(first)[0], queue.task(second)[1]) == ("running", "queued")
    assert [event["type"] for event in queue.events(second)].count("phase") == 1  # of the submit


def test_a_worker_that_ends_at_once_is_not_started_again_at_once_and_the_tasks_say_why(
    scaler, provider, queue
):
    task = queue.submit()
    _reconcile(scaler)
    provider.end("A worker on this machine ended with code 1: ValueError: no such model")
    _reconcile(scaler, 2)
    assert len(provider.started) == 1
    state, phase, text = queue.task(task)
    assert (state, phase) == ("queued", "queued")
    assert text.endswith("ValueError: no such model; trying again in 2 s.")
    logs = [event["message"] for event in queue.events(task) if event["type"] == "log"]
    assert logs == ["A worker on this machine ended with code 1: ValueError: no such model"]
    assert "no such model" in scaler.describe()


def test_the_pauses_grow_even_over_restarts_and_a_useful_worker_resets_them(provider, queue):
    task = queue.submit()

    def fail(useful=False):
        queue.database.call(lambda store: store.change("UPDATE machines SET ended_at = ended_at - 60"))
        scaler = _scaler(queue, provider)
        queue.database.call(lambda store: store.change("DELETE FROM duties"))
        _reconcile(scaler)
        if useful:
            queue.claim(_arrive(queue, provider))
            queue.database.call(lambda store: store.change(_DONE, store.now))
            provider.end("idle", failed=False)
        else:
            provider.end()
        _reconcile(scaler)
        return queue.task(task)[2].partition("again in ")[2]

    assert [fail() for _ in range(7)] == ["2 s.", "4 s.", "8 s.", "16 s.", "32 s.", "60 s.", "60 s."]
    fail(useful=True)
    task = queue.submit()
    assert fail() == "2 s."


_DONE = "UPDATE tasks SET state = 'succeeded', finished_at = ?"


def test_what_a_worker_held_that_died_goes_to_the_next_one(scaler, provider, queue):
    task = queue.submit()
    _reconcile(scaler)
    queue.claim(_arrive(queue, provider))
    _reconcile(scaler)
    assert queue.task(task)[0] == "running"
    provider.end("Killed", failed=False)
    _reconcile(scaler)
    assert queue.task(task)[0] == "queued"
    assert len(provider.started) == 2


def test_a_machine_that_ended_takes_its_tokens_with_it(scaler, provider, queue):
    queue.submit()
    _reconcile(scaler)
    token = provider.tokens[provider.started[0]]
    assert queue.database.call(keeper.check, token).user == WORKER_USER
    provider.end()
    _reconcile(scaler)
    assert queue.database.call(keeper.check, token) is None


def test_without_the_workers_libraries_the_tasks_fail_with_what_to_install(scaler, provider, queue):
    _as_light_server(provider)
    task = queue.submit()
    _reconcile(scaler)
    assert provider.started == []
    assert queue.task(task)[0] == "failed"
    assert queue.events(task)[-1]["error"]["hint"] == "pip install 'gpugen[worker]'"
    assert scaler.describe() == "No worker can start here."


def test_once_the_worker_is_there_no_task_says_any_more_that_it_starts(scaler, provider, queue):
    first, second = queue.submit(), queue.submit()
    _reconcile(scaler)
    queue.claim(_arrive(queue, provider))
    _reconcile(scaler)
    assert (queue.task(first)[0], queue.task(second)) == ("running", ("queued", "queued", "next in line"))


def test_a_light_server_leaves_its_tasks_to_the_workers_of_others(queue, provider):
    _as_light_server(provider)
    scaler = _scaler(queue, provider, max_workers=2)
    running, waiting, strange = queue.submit(), queue.submit(), queue.submit("sdxl")
    queue.claim(queue.worker("ann", "emoji"))
    _reconcile(scaler)
    states = [queue.task(task)[0] for task in (running, waiting, strange)]
    assert states == ["running", "queued", "queued"]
    queue.database.call(lambda store: store.change("UPDATE workers SET seen_at = seen_at - 60"))
    _reconcile(scaler)
    assert queue.task(waiting)[0] == "queued"  # it may only have lost its network
    queue.database.call(lambda store: store.change("UPDATE workers SET seen_at = seen_at - 600"))
    _reconcile(scaler)
    assert queue.task(waiting)[0] == "failed"


def test_a_task_whose_model_no_worker_here_can_have_fails_with_what_to_look_at(scaler, provider, queue):
    task, other = queue.submit("sdxl"), queue.submit("emoji")
    _reconcile(scaler)
    assert queue.task(task)[0] == "queued"  # nobody knows yet what the worker offers
    _arrive(queue, provider, "emoji")
    _reconcile(scaler)
    assert (queue.task(task)[0], queue.task(other)[0]) == ("failed", "queued")
    error = queue.events(task)[-1]["error"]
    assert error["code"] == "model_missing"
    assert "sdxl" in error["message"]
    assert "gpugen doctor" in error["hint"]


def test_a_task_that_no_worker_here_has_the_memory_for_fails_instead_of_starting_one_for_ever(
    scaler, provider, queue
):
    fits, task = queue.submit(), queue.submit()
    queue.database.call(lambda store: store.change(_HUGE, task))
    _reconcile(scaler)
    worker = _arrive(queue, provider, "emoji")
    queue.database.call(lambda store: store.change(_SMALL, worker))
    _reconcile(scaler)
    assert queue.task(fits)[0] == "queued"
    error = queue.events(task)[-1]["error"]
    assert error["code"] == "out_of_memory"
    assert error["message"] == "No worker here can draw 64x64 with emoji, some 58 GB: w has 24 GB."
    assert error["hint"].startswith("Ask for a smaller size")


def test_a_task_of_more_pixels_than_any_worker_here_draws_fails_with_that_limit(scaler, provider, queue):
    task = queue.submit()
    _reconcile(scaler)
    worker = _arrive(queue, provider, "emoji")
    queue.database.call(
        lambda store: store.change("UPDATE workers SET max_pixels = 100 WHERE id = ?", worker)
    )
    _reconcile(scaler)
    error = queue.events(task)[-1]["error"]
    assert error["code"] == "not_supported"
    assert "w draws at most 100 pixels, and these are" in error["message"]


_HUGE = "UPDATE tasks SET memory = 58000000000, width = 64, height = 64 WHERE id = ?"
_SMALL = "UPDATE workers SET memory_bytes = 24000000000 WHERE id = ?"


def test_a_model_that_a_worker_of_somebody_else_has_is_waited_for(scaler, provider, queue):
    task = queue.submit("sdxl")
    _reconcile(scaler)
    _arrive(queue, provider, "emoji")
    queue.worker("ann", "sdxl")
    _reconcile(scaler)
    assert queue.task(task)[0] == "queued"


def test_while_a_worker_of_somebody_else_is_set_aside_a_machine_comes(scaler, provider, queue):
    bad = queue.worker("ann")
    task = queue.submit()
    _reconcile(scaler)
    assert provider.started == []
    _set_aside(queue, bad)
    _reconcile(scaler)
    assert len(provider.started) == 1
    assert queue.task(task)[2] == "Starting a worker on this machine"


def _set_aside(queue, worker, seconds=1800):
    until = queue.database.now() + seconds
    queue.database.call(
        lambda store: store.change("UPDATE workers SET set_aside_until = ? WHERE id = ?", until, worker)
    )


def test_a_machine_whose_worker_is_set_aside_is_replaced_and_those_like_it_come_after_pauses_that_grow(
    scaler, provider, queue
):
    task, told = queue.submit(), []
    for _ in range(3):
        _reconcile(scaler)
        _set_aside(queue, _arrive(queue, provider))
        _reconcile(scaler)
        assert provider.stopped[-1:] == provider.started[-1:]
        told.append(queue.task(task)[2])
        del provider.shown[provider.started[-1]]
        _reconcile(scaler)
        told.append(queue.task(task)[2].partition("again in ")[2])
        queue.database.call(lambda store: store.change("UPDATE machines SET ended_at = ended_at - 60"))
    assert len(provider.started) == 3
    assert told[::2] == ["The last machine is still going; the next one follows it."] * 3
    assert told[1::2] == ["", "2 s.", "4 s."]  # the first is followed at once


def test_a_worker_that_soon_gets_tasks_again_keeps_its_machine_and_those_who_wait_hear_when(
    scaler, provider, queue
):
    task = queue.submit()
    _reconcile(scaler)
    _set_aside(queue, _arrive(queue, provider), seconds=60)
    _reconcile(scaler)
    assert provider.stopped == []
    assert "failed at several tasks in a row and will get none before" in queue.task(task)[2]


def test_a_new_machine_does_not_answer_for_what_one_of_its_name_failed_at(scaler, provider, queue):
    queue.submit()
    _set_aside(queue, queue.worker(WORKER_USER))
    _reconcile(scaler)
    assert len(queue.claim(_arrive(queue, provider))) == 1


def test_what_was_refused_is_said_with_the_next_try(scaler, provider, queue):
    task = queue.submit()
    provider.refusals = ["zone a: stock-out", "zone b: stock-out"]
    _reconcile(scaler, 3)
    last = queue.events(task)[-1]
    assert last["text"] == "Starting a worker on this machine. Before: zone b: stock-out"
    assert last["data"]["refused"] == ["zone a: stock-out", "zone b: stock-out"]


def test_when_somebody_else_comes_nobody_is_left_with_the_news_that_no_machine_does(queue):
    provider = Pretended(hourly=1.0)
    scaler = _scaler(queue, provider)
    task = queue.submit()
    _reconcile(scaler)
    provider.end()
    _reconcile(scaler, 2)
    assert "trying again" in queue.task(task)[2]
    queue.worker("ann")
    _reconcile(scaler)
    assert queue.task(task) == ("queued", "queued", "next in line")


def test_a_provider_that_does_not_answer_is_asked_again_and_nothing_is_thought_to_be_gone(
    scaler, provider, queue
):
    task = queue.submit()
    _reconcile(scaler)
    provider.away = True
    _reconcile(scaler)
    assert queue.task(task)[2] == "The provider does not answer. Asking again."
    provider.away = False
    _reconcile(scaler)
    assert len(provider.started) == 1


def test_a_machine_that_is_let_go_gets_no_more_tasks_and_the_next_waits_until_it_is_gone(queue, provider):
    scaler = _scaler(queue, provider, idle=600)
    queue.submit()
    _reconcile(scaler)
    worker = _arrive(queue, provider)
    (name,) = provider.started
    queue.claim(worker)
    queue.database.call(lambda store: store.change("UPDATE tasks SET state = 'canceled'"))
    now = queue.database.now()
    for minute in range(13):
        queue.database.engine.now = lambda minute=minute: now + minute * 58
        queue.database.call(workers.touch, worker)
        _reconcile(scaler)
    assert provider.stopped == [name]
    task = queue.submit()
    assert queue.claim(worker) == ()
    (listed,) = queue.database.call(workers.listing, 0.0, None)
    assert listed.state == "draining"
    _reconcile(scaler)
    assert provider.started == [name]
    assert "still going" in queue.task(task)[2]
    del provider.shown[name]
    _reconcile(scaler)
    assert len(provider.started) == 2


def test_a_lower_limit_after_a_restart_costs_no_task_idle_machines_go_first_and_busy_ones_when_done(
    queue, provider
):
    before = _scaler(queue, provider, max_workers=3)
    tasks, helpers = [queue.submit() for _ in range(3)], []
    _reconcile(before)
    for name in list(provider.started):
        provider.started.append(name)  # as if it was the last
        helpers.append(_arrive(queue, provider))
    names = provider.started[:3]
    for worker in helpers[:2]:
        queue.claim(worker)
    queue.database.call(lambda store: store.change("DELETE FROM duties"))
    after = _scaler(queue, provider, max_workers=1)
    _reconcile(after, 3)
    assert provider.stopped[:1] == names[2:]  # the idle one, told again and again
    assert set(provider.stopped) == set(names[2:])
    (drained,) = queue.row("SELECT id FROM workers WHERE draining = 1 AND id != ?", helpers[2])
    assert drained in helpers[:2]
    assert [queue.task(task)[0] for task in tasks] == ["running", "running", "queued"]
    del provider.shown[names[2]]
    queue.database.call(
        lambda store: store.change("UPDATE tasks SET state = 'canceled' WHERE worker = ?", drained)
    )
    assert queue.claim(drained) == ()
    _reconcile(after, 2)
    gone = names[helpers.index(drained)]
    assert set(provider.stopped) == {names[2], gone}
    assert len(provider.started) == 6  # none came for it


def test_a_server_that_has_just_started_lets_nobody_go_for_what_it_cannot_know(queue, provider):
    queue.submit()
    before = _scaler(queue, provider)
    _reconcile(before)
    _arrive(queue, provider)
    queue.database.call(lambda store: store.change("UPDATE tasks SET state = 'canceled'"))
    queue.database.call(lambda store: store.change("DELETE FROM duties"))
    _reconcile(_scaler(queue, provider))
    assert provider.stopped == []  # it may have been wanted a minute ago


def test_a_task_that_comes_just_then_keeps_its_worker(queue, provider, scaler):
    queue.submit()
    _reconcile(scaler)
    worker = _arrive(queue, provider)
    (machine,) = queue.database.call(machines.present, provider.name)
    queue.claim(worker)
    assert not queue.database.call(machines.leave, machine, "it was idle", even_if_busy=False)
    assert queue.database.call(machines.leave, machine, "too many", even_if_busy=True)


def test_a_worker_that_comes_while_its_machine_is_let_go_or_ends_gets_no_task(scaler, provider, queue):
    task = queue.submit()
    _reconcile(scaler)
    (seen,) = queue.database.call(machines.present, "pretended")  # nobody has come yet
    worker = _arrive(queue, provider)
    assert queue.database.call(machines.leave, seen, "nobody came", False)
    assert queue.claim(worker) == ()
    queue.database.call(lambda store: store.change("UPDATE workers SET draining = 0"))
    queue.claim(worker)
    assert not queue.database.call(machines.leave, seen, "nobody came", False)
    queue.database.call(machines.end, seen, "it is gone")
    assert queue.task(task)[0] == "queued"


def test_what_no_row_knows_is_removed(scaler, provider):
    provider.shown["gpugen-stray"] = Sighting(state="running")
    _reconcile(scaler)
    assert provider.removed == ["gpugen-stray"]


def test_the_limit_of_a_day_keeps_machines_from_starting_and_says_so(queue):
    provider = Pretended(hourly=2.0)
    scaler = _scaler(queue, provider, max_cost=1.0)
    task = queue.submit()
    _reconcile(scaler)
    provider.shown[provider.started[0]] = Sighting(state="running")
    _reconcile(scaler)
    now = queue.database.now()
    monday_noon = now - now % 86400 + 43200
    queue.database.engine.now = lambda: monday_noon
    queue.database.call(lambda store: store.change("UPDATE machines SET up_at = ?", monday_noon - 3600))
    provider.end("Google has stopped it.", failed=False)
    queue.database.call(lambda store: store.change("UPDATE machines SET worker = 'w'"))
    _reconcile(scaler, 2)
    assert len(provider.started) == 1
    assert queue.task(task)[2] == (
        "The machines have cost $2.00 today, the limit of a day is $1.00: "
        "none is started before midnight UTC."
    )
    queue.database.engine.now = lambda: monday_noon + 86400
    _reconcile(scaler)
    assert len(provider.started) == 2


def test_of_two_servers_one_does_it_and_the_other_lets_go_of_what_it_has(queue, provider):
    one, two, other = _scaler(queue, provider), None, Pretended()
    two = _scaler(queue, other)
    queue.submit()
    _reconcile(one)
    _reconcile(two)
    assert (len(provider.started), len(other.started)) == (1, 0)
    assert other.closed == 1
    queue.database.call(lambda store: store.change("UPDATE duties SET until = 0"))
    other.shown = {provider.started[0]: Sighting(state="ended", text="its server is gone")}
    _reconcile(two)
    _reconcile(one)
    assert len(other.started) == 1
    assert provider.closed == 1


def test_whatever_goes_wrong_the_autoscaler_looks_again_and_lets_go_at_the_end(
    scaler, provider, queue, caplog
):
    right = provider.obstacle
    looks = []

    def wrong():
        looks.append(1)
        raise ZeroDivisionError("no such number")

    provider.obstacle = wrong
    queue.submit()

    async def scenario():
        await scaler.start()
        await asyncio.to_thread(until, lambda: len(looks) > 3)
        provider.obstacle = right
        await asyncio.to_thread(until, lambda: len(provider.started) == 1)
        await scaler.stop()

    asyncio.run(scenario())
    assert provider.closed == 1
    told = [record for record in caplog.records if "could not do its work" in record.getMessage()]
    assert len(told) == 1
    assert told[0].exc_info
