import time

from gpugen_server.queue import place, search


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


def test_a_model_that_no_worker_has_is_named(queue):
    queue.call(lambda store: store.change("DELETE FROM workers"))
    queue.new_worker("emoji")
    assert text(queue, queue.submit(model="sdxl")).startswith("waiting for a worker that has the model sdxl")


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
