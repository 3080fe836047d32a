import time

import pytest

from gpugen_server.queue import groups, place, search, waiting

GB = 10**9
LARGE = {"model": "sdxl", "width": 2048, "height": 1024, "memory": 26 * GB}


@pytest.fixture
def nobody(queue):
    """The queue without its worker."""
    queue.call(lambda store: store.change("DELETE FROM workers"))
    return queue


def text(queue, task, live_after=0.0):
    return queue.call(search.get, task, None, live_after).phase_text


def test_a_queued_task_says_how_many_are_before_it(queue):
    tasks = [queue.submit() for _ in range(3)]
    assert [text(queue, task) for task in tasks] == [
        "next in line",
        "1 task before yours",
        "2 tasks before yours",
    ]


def test_without_a_live_worker_it_waits_for_one(queue):
    assert text(queue, queue.submit(), time.time() + 1) == "waiting for a worker: none is running"


def test_a_model_that_no_worker_has_is_named(nobody):
    nobody.new_worker("emoji")
    assert text(nobody, nobody.submit(model="sdxl")).startswith(
        "waiting for a worker that has the model sdxl: none of those running has it. Ask for"
    )


def test_what_no_worker_has_room_for_says_how_much_each_of_them_has_and_what_to_do(nobody):
    nobody.new_worker("sdxl", name="small", memory_bytes=8 * GB)
    nobody.new_worker("sdxl", name="medium", memory_bytes=24 * GB)
    nobody.new_worker("sdxl", name="careful", memory_bytes=80 * GB, max_pixels=1024 * 1024)
    nobody.new_worker("emoji", name="of no use", memory_bytes=80 * GB)
    assert text(nobody, nobody.submit(**LARGE)) == (
        "waiting for a worker that can draw 2048x1024 with sdxl, some 26 GB: careful draws at most 1,048,576 "
        "pixels, and these are 2,097,152, medium has 24 GB and small has 8 GB. "
        "Ask for a smaller size or another model, or add a worker that has room for it."
    )


def test_what_no_worker_can_draw_is_in_nobodys_line_and_gets_no_time(nobody):
    nobody.new_worker(name="small", memory_bytes=8 * GB)
    measured(nobody, "sdxl", 2048, 1024)
    task = nobody.get(nobody.submit(**LARGE))
    assert (task.queue_position, task.queue_position_text, task.eta_seconds) == (None, "", None)
    told = nobody.events(task.id)[1]
    assert told["data"] == {"reason": "no_room", "position": None, "eta_seconds": None}
    assert told["text"] == task.phase_text


def test_of_several_workers_one_that_has_room_is_enough_and_the_time_counts_no_other(nobody):
    nobody.new_worker(name="small", memory_bytes=8 * GB)
    measured(nobody, "sdxl", 2048, 1024)
    nobody.new_worker(name="large", memory_bytes=80 * GB)
    first, second = (nobody.get(nobody.submit(**LARGE)) for _ in range(2))
    assert (first.phase_text, second.phase_text) == ("next in line", "1 task before yours")
    assert second.eta_seconds == pytest.approx(2 * first.eta_seconds)


def test_who_waits_for_room_is_told_when_a_worker_comes_that_has_it(nobody):
    nobody.new_worker(name="small", memory_bytes=8 * GB)
    task = nobody.submit(**LARGE)
    nobody.new_worker(name="large", memory_bytes=80 * GB)
    nobody.call(waiting.tell, task, 0.0)
    assert nobody.events(task)[-1]["text"] == "next in line"


def test_what_nobody_can_draw_and_is_before_a_task_does_not_count_for_its_time(nobody):
    nobody.new_worker("emoji", max_pixels=64 * 64)
    measured(nobody, "emoji", 64, 64)
    nobody.submit(model="sdxl")
    nobody.submit(width=128, height=128)
    first, second = (nobody.get(nobody.submit(width=64, height=64)).eta_seconds for _ in range(2))
    assert second == pytest.approx(2 * first)


def test_what_nobody_can_draw_and_is_before_a_task_stands_in_no_line(nobody):
    nobody.new_worker("emoji", "sdxl", memory_bytes=8 * GB, max_pixels=2048 * 1024)
    hopeless = [
        nobody.submit(model="flux-schnell"),
        nobody.submit(**LARGE),
        nobody.submit(width=2048, height=2048),
    ]
    first, second, third = (nobody.submit(width=64, height=64) for _ in range(3))
    assert [nobody.get(task).queue_position for task in hopeless] == [None] * 3
    assert [nobody.get(task).queue_position for task in (first, second)] == [1, 2]
    assert text(nobody, third) == "2 tasks before yours"
    shown = nobody.call(search.listing, search.Filter(user=None), 0.0).tasks
    assert [task.queue_position for task in shown] == [3, 2, 1, None, None, None]
    nobody.new_worker("sdxl", memory_bytes=80 * GB)
    assert nobody.get(first).queue_position == 2


def test_without_any_worker_all_who_wait_are_in_line(nobody):
    tasks = [nobody.submit(model="sdxl"), nobody.submit(), nobody.submit(**LARGE)]
    assert [nobody.get(task).queue_position for task in tasks] == [1, 2, 3]


def test_workers_set_aside_are_waited_for_until_a_time_that_is_named(nobody):
    measured(nobody, "emoji", 64, 64)
    bad = nobody.new_worker("emoji", name="bad")
    until = time.time() + 600
    nobody.call(lambda store: store.change("UPDATE workers SET set_aside_until = ? WHERE id = ?", until, bad))
    task = nobody.get(nobody.submit(width=64, height=64))
    at = time.strftime("%H:%M", time.gmtime(until))
    assert task.phase_text == (
        f"waiting for a worker: bad failed at several tasks in a row and will get none before {at} UTC; "
        "see `gpugen workers`"
    )
    assert (task.queue_position, task.eta_seconds) == (1, None)
    nobody.new_worker("emoji", name="good")
    assert nobody.get(task.id).phase_text == "next in line"
    assert nobody.get(task.id).eta_seconds is not None


def test_a_group_promises_no_time_for_what_no_worker_has_room_for(nobody):
    nobody.new_worker(name="small", memory_bytes=8 * GB)
    measured(nobody, "sdxl", 2048, 1024)
    nobody.submit(group="g", **LARGE)
    assert nobody.call(groups.get, "g", None, 0.0).eta_seconds is None
    nobody.new_worker(name="large", memory_bytes=80 * GB)
    assert nobody.call(groups.get, "g", None, 0.0).eta_seconds is not None


def measured(queue, model, width, height):
    """As if such a task had been drawn once: its speed is known."""
    done = queue.submit(model=model, width=width, height=height)
    queue.call(
        lambda store: store.change(
            "UPDATE tasks SET state = 'succeeded', started_at = 100, finished_at = 142 WHERE id = ?", done
        )
    )


def test_places_beyond_the_counted_ones_are_not_numbers(queue, monkeypatch):
    monkeypatch.setattr(place, "MAX_POSITION", 2)
    tasks = [queue.submit() for _ in range(3)]
    last = queue.get(tasks[2])
    assert (last.queue_position, last.queue_position_text) == (None, ">1000")
    assert queue.get(tasks[1]).queue_position == 2


def test_the_place_follows_the_priority(queue):
    low = queue.submit(priority=-1)
    queue.submit(priority=1)
    assert queue.get(low).queue_position == 2
