"""A watcher between a lossy bus and a real database."""

import asyncio
import itertools
import json
import random

import pytest

from gpugen_protocol.errors import Unavailable
from gpugen_protocol.events import LogEvent
from gpugen_server.events import log
from gpugen_server.events.entry import Entry
from gpugen_server.events.hub import Hub
from gpugen_server.events.watcher import Watcher
from gpugen_server.queue import cancel, records, search


class Scene:
    def __init__(self, database, queue):
        self.queue = queue
        self.hub = Hub(lambda: None)
        self.database = database
        self.lose = lambda entry: False
        self.told = []

    def watcher(self, owner="ann"):
        watcher = Watcher(self.database, owner, lambda: 0.0)
        self.hub.join(watcher)
        return watcher

    async def say(self, task, count=1, text="hello"):
        def say(store):
            key = records.find(store, task, None).key
            for _ in range(count):
                log.append(store, key, LogEvent, message=text)
            return list(store.outbox)

        await self.deliver(await self.database.run(say))

    async def cancel(self, task):
        def run(store):
            cancel.cancel(store, task, None)
            return list(store.outbox)

        await self.deliver(await self.database.run(run))

    async def deliver(self, entries):
        self.told += entries
        self.hub.deliver(entry for entry in entries if not self.lose(entry))
        await asyncio.sleep(0)


async def read(watcher, seconds=0.15):
    """What arrives until it is quiet and nothing is being read from the database."""
    found = []
    while True:
        try:
            found.append(json.loads(await asyncio.wait_for(watcher.outbound.get(), seconds)))
        except TimeoutError:
            if not watcher._readers:
                return found


def numbers(events, task):
    return [
        event["seq"]
        for event in events
        if event.get("task") == task and event["type"] != "snapshot" and "seq" in event
    ]


@pytest.fixture
def play(make_database, queue):
    def play(script):
        async def main():
            database = make_database()
            await database.start()
            try:
                return await script(Scene(database, queue))
            finally:
                await database.close()

        return asyncio.run(main())

    return play


def test_a_snapshot_comes_first_then_history_then_news(play, queue):
    task = queue.submit()

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 0)
        first = await read(watcher)
        await scene.say(task)
        return first, await read(watcher)

    first, then = play(script)
    assert first[0]["type"] == "snapshot"
    assert (first[0]["seq"], first[0]["data"]["state"]) == (2, "queued")
    assert numbers(first, task) == [1, 2]
    assert numbers(then, task) == [3]


def test_only_what_is_after_the_asked_number_is_told_again(play, queue):
    task = queue.submit()

    async def script(scene):
        await scene.say(task, 5)
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 4)
        return await read(watcher)

    assert numbers(play(script), task) == [5, 6, 7]


def test_a_number_from_the_future_brings_the_present(play, queue):
    task = queue.submit()

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 10**30)
        first = await read(watcher)
        await scene.say(task)
        return first, await read(watcher)

    first, then = play(script)
    assert [event["type"] for event in first] == ["snapshot"]
    assert numbers(then, task) == [3]


def test_a_hole_in_what_the_bus_brought_is_filled_from_the_database(play, queue):
    task = queue.submit()

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 0)
        await read(watcher)
        scene.lose = lambda entry: entry.seq in (3, 4, 6)
        for _ in range(5):
            await scene.say(task)
        return await read(watcher)

    assert numbers(play(script), task) == [3, 4, 5, 6, 7]


def test_doubles_on_the_bus_are_told_once(play, queue):
    task = queue.submit()

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 0)
        await read(watcher)
        await scene.say(task, 3)
        await scene.deliver(scene.told[-3:])
        return await read(watcher)

    assert numbers(play(script), task) == [3, 4, 5]


def test_a_lost_last_event_comes_with_the_next_look(play, queue):
    task = queue.submit()

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 0)
        await read(watcher)
        scene.lose = lambda entry: True
        await scene.cancel(task)
        assert await read(watcher) == []
        scene.hub.resync()
        return await read(watcher)

    assert play(script)[-1]["state"] == "canceled"


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_bus_loses_doubles_and_shuffles_watchers_get_every_number_once(play, queue, seed):
    chance = random.Random(seed)
    task = queue.submit()

    async def storm(scene, watchers):
        for _ in range(60):
            if chance.random() < 0.2:
                scene.hub.follow(chance.choice(watchers), task, 0)
            await scene.say(task, chance.randint(1, 3))
            if chance.random() < 0.3:
                again = scene.told[-chance.randint(1, 5) :]
                chance.shuffle(again)
                await scene.deliver(again)
            if chance.random() < 0.3:
                await asyncio.sleep(0.002)

    async def script(scene):
        got = {scene.watcher(): [] for _ in range(3)}
        readers = [asyncio.create_task(collect(watcher, events)) for watcher, events in got.items()]
        for watcher in got:
            scene.hub.follow(watcher, task, 0)
        scene.lose = lambda entry: chance.random() < 0.3
        await storm(scene, list(got))
        scene.lose = lambda entry: False
        await scene.cancel(task)
        await asyncio.sleep(0.3)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        return list(got.values())

    received = play(script)
    everything = list(range(1, len(queue.events(task)) + 1))
    assert len(received) == 3
    for events in received:
        final = max(index for index, event in enumerate(events) if event["type"] == "snapshot")
        assert numbers(events[final:], task) == everything
        assert_in_order(events)


def assert_in_order(events):
    for before, after in itertools.pairwise(events):
        if "snapshot" not in (before["type"], after["type"]):
            assert after["seq"] == before["seq"] + 1


async def collect(watcher, into):
    while True:
        into.append(json.loads(await watcher.outbound.get()))


def test_the_watcher_of_everything_hears_of_new_tasks_of_its_user_alone(play, queue):
    async def script(scene):
        watcher = scene.watcher("ann")
        scene.hub.follow_everything(watcher)
        mine, theirs = queue.submit(user="ann"), queue.submit(user="bob")
        await scene.say(mine)
        await scene.say(theirs)
        return mine, await read(watcher)

    mine, events = play(script)
    assert {event["task"] for event in events} == {mine}
    assert events[0]["type"] == "snapshot"
    assert numbers(events, mine) == [1, 2, 3]


def test_an_admin_watches_everybodys_tasks(play, queue):
    async def script(scene):
        watcher = scene.watcher(None)
        scene.hub.follow_everything(watcher)
        tasks = {queue.submit(user="ann"), queue.submit(user="bob")}
        for task in tasks:
            await scene.say(task)
        return tasks, await read(watcher)

    tasks, events = play(script)
    assert {event["task"] for event in events} == tasks


def test_others_tasks_bring_a_notice_and_nothing_else(play, queue):
    task = queue.submit(user="bob")

    async def script(scene):
        watcher = scene.watcher("ann")
        scene.hub.follow(watcher, task, 0)
        first = await read(watcher)
        await scene.say(task)
        return first, await read(watcher)

    first, then = play(script)
    assert [(event["type"], event["code"]) for event in first] == [("notice", "not_found")]
    assert then == []


def test_an_unfollowed_task_is_silent(play, queue):
    task = queue.submit()

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 0)
        await read(watcher)
        scene.hub.unfollow(watcher, task)
        await scene.say(task)
        return await read(watcher)

    assert play(script) == []


def test_a_watcher_that_left_leaves_nothing_behind(play, queue):
    tasks = [queue.submit(), queue.submit(user="bob")]

    async def script(scene):
        watcher = scene.watcher()
        for task in tasks:
            scene.hub.follow(watcher, task, 0)
        await read(watcher)
        assert scene.hub.watched(tasks[0], "ann")
        scene.hub.leave(watcher)
        return scene.hub

    hub = play(script)
    assert (len(hub), hub._by_task, hub._named) == (0, {}, {})
    assert not hub.watched(tasks[0], "ann")


def test_progress_is_told_only_between_snapshot_and_end(play, queue):
    task = queue.submit()
    progress = Entry(task, "ann", 0, "progress", b'{"type": "progress"}')

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 0)
        scene.hub.deliver([progress])
        first = await read(watcher)
        scene.hub.deliver([progress])
        then = await read(watcher)
        await scene.cancel(task)
        scene.hub.deliver([progress])
        return first, then, await read(watcher)

    first, then, last = play(script)
    assert "progress" not in [event["type"] for event in first]
    assert [event["type"] for event in then] == ["progress"]
    assert [event["type"] for event in last] == ["state"]


def test_everybody_is_told_once_when_the_bus_goes_and_comes(play):
    async def script(scene):
        watcher = scene.watcher()
        for degraded in (True, True, False, False):
            scene.hub.set_degraded(degraded)
        scene.hub.set_degraded(True)
        late = scene.watcher()
        return await read(watcher), await read(late)

    early, late = play(script)
    assert [event["code"] for event in early] == [
        "live_updates_degraded",
        "live_updates_restored",
        "live_updates_degraded",
    ]
    assert [event["code"] for event in late] == ["live_updates_degraded"]


def test_a_look_asked_for_during_a_look_is_not_forgotten(play, queue):
    task = queue.submit()

    async def script(scene):
        watcher = scene.watcher()
        scene.lose = lambda entry: True
        scene.hub.follow(watcher, task, 0)
        read_page = watcher._send_page

        async def page_read_before_the_news(task, cursor):
            page = await scene.database.run(search.events, task, "ann", cursor.last, 500)
            await scene.say(task)  # committed after that read, lost by the bus
            scene.hub.resync()
            for seq, body in page.events:
                watcher._tell(cursor, seq, body)
            watcher._send_page = read_page
            return cursor.last < max(page.last_seq, cursor.newest)

        watcher._send_page = page_read_before_the_news
        return await read(watcher)

    assert numbers(play(script), task) == [1, 2, 3]


def test_a_database_that_is_away_when_somebody_subscribes_opens_no_door_to_others_tasks(
    play, queue, monkeypatch
):
    theirs, mine = queue.submit(user="bob"), queue.submit(user="ann")
    look = search.snapshot

    def away(*_):
        raise Unavailable

    async def script(scene):
        monkeypatch.setattr(search, "snapshot", away)
        watcher = scene.watcher("ann")
        for task in (theirs, mine):
            scene.hub.follow(watcher, task, 2)
        first = await read(watcher)
        monkeypatch.setattr(search, "snapshot", look)
        for task in (theirs, mine):
            live = f'{{"type": "progress", "task": "{task}"}}'.encode()
            await scene.deliver([Entry(task, {theirs: "bob", mine: "ann"}[task], 0, "progress", live)])
            await scene.say(task)
        return first, await read(watcher)

    first, then = play(script)
    assert {event["type"] for event in first} == {"notice"}
    assert {event.get("task", mine) for event in then} == {mine}
    assert numbers(then, mine) == [3]


def test_a_task_that_ended_is_forgotten_however_its_end_came(play, queue):
    told, lost, old, strange = (queue.submit() for _ in range(4))

    async def script(scene):
        watcher = scene.watcher()
        await scene.cancel(old)
        for task in (told, lost, old, strange + "x"):
            scene.hub.follow(watcher, task, 0)
        await read(watcher)
        await scene.cancel(told)
        scene.lose = lambda entry: True
        await scene.cancel(lost)
        scene.hub.resync()
        return await read(watcher), scene.hub._by_task, scene.hub._named[watcher], watcher._cursors

    ends, *left = play(script)
    assert {event["task"] for event in ends if event.get("state") == "canceled"} == {told, lost}
    assert left == [{}, set(), {}]


def test_one_socket_may_name_only_so_many_tasks(play, queue, monkeypatch):
    monkeypatch.setattr("gpugen_server.events.hub.MOST_TASKS", 2)
    tasks = [queue.submit() for _ in range(3)]

    async def script(scene):
        watcher = scene.watcher()
        for task in (*tasks, tasks[0]):
            scene.hub.follow(watcher, task, 0)
        return await read(watcher)

    events = play(script)
    assert [event["code"] for event in events if event["type"] == "notice"] == ["too_many_requests"]
    assert {event["task"] for event in events if event["type"] == "snapshot"} == set(tasks[:2])


def prune(store, until):
    """As retention does, for every task."""
    store.change("DELETE FROM events WHERE seq <= ?", until)


def test_a_pruned_history_is_a_gap_then_a_snapshot_then_the_tail(play, queue):
    task = queue.submit()

    async def script(scene):
        await scene.say(task, 6)
        scene.queue.call(prune, 5)
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 2)
        first = await read(watcher)
        await scene.say(task)
        return first, await read(watcher)

    first, then = play(script)
    assert [event["type"] for event in first] == ["snapshot", "gap", "snapshot", "log", "log", "log"]
    assert first[1]["until"] == 5
    assert numbers(first[2:], task) == [6, 7, 8]
    assert numbers(then, task) == [9]


def test_whoever_has_heard_it_all_misses_nothing_that_was_pruned(play, queue):
    task = queue.submit()

    async def script(scene):
        await scene.say(task, 6)
        scene.queue.call(prune, 5)
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 5)
        return await read(watcher)

    found = play(script)
    assert [event["type"] for event in found] == ["snapshot", "log", "log", "log"]


def test_a_task_of_which_only_the_end_is_kept_still_ends(play, queue):
    task = queue.submit()
    queue.cancel(task)
    queue.call(prune, 2)

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 0)
        return await read(watcher)

    found = play(script)
    assert [event["type"] for event in found] == ["snapshot", "gap", "snapshot", "state"]
    assert found[-1]["state"] == "canceled"


def test_who_falls_behind_is_served_from_the_database_and_costs_little(play, queue, monkeypatch):
    monkeypatch.setattr("gpugen_server.events.outbound.ROOM", 3000)
    task = queue.submit()

    async def script(scene):
        watcher = scene.watcher()
        scene.hub.follow(watcher, task, 0)
        await read(watcher)
        most = 0
        for _ in range(30):
            await scene.say(task, 10, "x" * 100)
            most = max(most, watcher.outbound._bytes)
        return most, await read(watcher)

    most, found = play(script)
    assert numbers(found, task) == list(range(3, 303))
    assert most < 3000 + 100 * 250  # what there is room for, and one page
