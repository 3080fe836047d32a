"""Tests of the autoscaler's decisions, with workers that only pretend."""

import asyncio

import pytest
from tests.fakes import until

from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale import scaler as scaler_module
from gpugen_server.autoscale.provider import WORKER_USER, Ended
from gpugen_server.autoscale.scaler import Autoscaler


class Pretended:
    """A provider whose workers do what a test says."""

    place = "this machine"

    def __init__(self):
        self.running = self.started = 0
        self.failure = None

    def obstacle(self):
        return self.failure

    async def start(self, on_end):
        self.running += 1
        self.started += 1
        self.on_end = on_end

    async def stop(self):
        self.running = 0

    def end(self, code=1, last_words="ValueError: no such model", lived=0.1):
        self.running -= 1
        self.on_end(Ended(code=code, last_words=last_words, lived=lived))


@pytest.fixture
def provider():
    return Pretended()


@pytest.fixture
def scaler(queue, provider):
    """Its methods run one after the other, each in an event loop of its own."""
    made = Autoscaler(queue.database, provider, max_workers=1, live_seconds=30)
    yield made
    asyncio.run(queue.database.close())


def _as_light_server(provider):
    provider.failure = TaskFailure(
        code="missing_extra", message="No worker can start here.", hint="pip install 'gpugen[worker]'"
    )


def _reconcile(scaler):
    asyncio.run(scaler.reconcile())


def test_nothing_starts_while_nothing_waits(scaler, provider):
    _reconcile(scaler)
    assert provider.started == 0


def test_a_task_that_waits_starts_one_worker_and_is_told(scaler, provider, queue):
    task = queue.submit()
    _reconcile(scaler)
    _reconcile(scaler)
    assert provider.started == 1
    assert queue.task(task) == ("queued", "starting", "Starting a worker on this machine")
    later = queue.submit()
    _reconcile(scaler)
    assert provider.started == 1
    assert queue.task(later)[1] == "starting"
    assert [event["type"] for event in queue.events(task)].count("phase") == 2


def test_a_worker_of_somebody_else_makes_another_one_needless(scaler, provider, queue):
    queue.worker("ann")
    queue.submit()
    _reconcile(scaler)
    assert provider.started == 0


def test_more_tasks_never_start_more_workers_than_allowed(queue, provider):
    scaler = Autoscaler(queue.database, provider, max_workers=2, live_seconds=30)
    for _ in range(5):
        queue.submit()
    for _ in range(4):
        _reconcile(scaler)
    assert provider.started == 2


def test_a_worker_that_ends_at_once_is_not_started_again_at_once_and_the_tasks_say_why(
    scaler, provider, queue
):
    task = queue.submit()

    async def scenario():
        await scaler.reconcile()
        provider.end()
        await scaler.reconcile()

    asyncio.run(scenario())
    assert provider.started == 1
    state, phase, text = queue.task(task)
    assert (state, phase) == ("queued", "queued")
    assert "trying again in 2 s" in text
    assert "ValueError: no such model" in text
    logs = [event["message"] for event in queue.events(task) if event["type"] == "log"]
    assert logs == ["A worker on this machine ended with code 1: ValueError: no such model"]
    assert "no such model" in scaler.describe()


def test_the_pauses_grow_to_a_minute_and_a_useful_worker_resets_them(scaler, provider, queue, monkeypatch):
    task = queue.submit()

    def fail():
        scaler._not_before = 0.0

        async def scenario():
            await scaler.reconcile()
            provider.end()
            await scaler.reconcile()

        asyncio.run(scenario())
        return queue.task(task)[2].partition("again in ")[2].partition(".")[0]

    assert [fail() for _ in range(7)] == ["2 s", "4 s", "8 s", "16 s", "32 s", "60 s", "60 s"]
    scaler._not_before = 0.0

    async def useful():
        await scaler.reconcile()
        queue.worker(WORKER_USER)
        await scaler.reconcile()
        provider.end(code=0, last_words="idle", lived=1)
        await scaler.reconcile()

    asyncio.run(useful())
    assert fail() == "2 s"


def test_the_next_worker_comes_when_the_pause_is_over(scaler, provider, queue, monkeypatch):
    monkeypatch.setattr(scaler_module, "LONGEST_PAUSE", 0.1)
    queue.submit()

    async def scenario():
        await scaler.start()
        await asyncio.to_thread(until, lambda: provider.started == 1)
        provider.end()
        await asyncio.to_thread(until, lambda: provider.started == 2)
        await scaler.stop()

    asyncio.run(scenario())
    assert provider.running == 0


def test_a_task_in_the_hands_of_a_worker_that_died_goes_to_the_next_one(scaler, provider, queue):
    task = queue.submit()

    async def scenario():
        await scaler.reconcile()
        queue.claim(queue.worker(WORKER_USER))
        await scaler.reconcile()
        assert queue.task(task)[0] == "running"
        provider.end(code=137, last_words="Killed", lived=100)
        await scaler.reconcile()

    asyncio.run(scenario())
    assert queue.task(task)[0] == "queued"
    assert provider.started == 2


def test_without_the_workers_libraries_the_tasks_fail_with_what_to_install(scaler, provider, queue):
    _as_light_server(provider)
    task = queue.submit()
    _reconcile(scaler)
    assert provider.started == 0
    assert queue.task(task)[0] == "failed"
    assert queue.events(task)[-1]["error"]["hint"] == "pip install 'gpugen[worker]'"
    assert scaler.describe() == "No worker can start here."


def test_once_the_worker_is_there_no_task_says_any_more_that_it_starts(scaler, queue):
    first, second = queue.submit(), queue.submit()
    _reconcile(scaler)
    queue.claim(queue.worker(WORKER_USER))
    _reconcile(scaler)
    assert (queue.task(first)[0], queue.task(second)) == ("running", ("queued", "queued", "next in line"))


def test_a_light_server_leaves_its_tasks_to_the_workers_of_others(queue, provider):
    _as_light_server(provider)
    scaler = Autoscaler(queue.database, provider, max_workers=2, live_seconds=30)
    running, waiting, strange = queue.submit(), queue.submit(), queue.submit("sdxl")
    remote = queue.worker("ann", "emoji")
    queue.claim(remote)
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
    queue.worker(WORKER_USER, "emoji")
    _reconcile(scaler)
    assert (queue.task(task)[0], queue.task(other)[0]) == ("failed", "queued")
    error = queue.events(task)[-1]["error"]
    assert error["code"] == "model_missing"
    assert "sdxl" in error["message"]
    assert "gpugen doctor" in error["hint"]


def test_a_model_that_a_worker_of_somebody_else_has_is_waited_for(scaler, provider, queue):
    task = queue.submit("sdxl")
    queue.worker(WORKER_USER, "emoji")
    queue.worker("ann", "sdxl")
    _reconcile(scaler)
    assert queue.task(task)[0] == "queued"


def test_a_worker_that_was_idle_for_its_time_has_not_failed(scaler, provider, queue):
    queue.submit()

    async def scenario():
        await scaler.reconcile()
        provider.end(code=0, last_words="idle", lived=1)
        await scaler.reconcile()

    asyncio.run(scenario())
    assert provider.started == 2
    assert "ended" not in scaler.describe()


def test_whatever_goes_wrong_the_autoscaler_looks_again_and_stops_its_workers(
    scaler, provider, queue, monkeypatch, caplog
):
    monkeypatch.setattr(scaler_module, "PERIOD", 0.01)
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
        await asyncio.to_thread(until, lambda: provider.started == 1)
        await scaler.stop()

    asyncio.run(scenario())
    assert provider.running == 0
    told = [record for record in caplog.records if "could not do its work" in record.getMessage()]
    assert len(told) == 1
    assert told[0].exc_info
