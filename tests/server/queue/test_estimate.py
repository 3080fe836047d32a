import pytest

from gpugen_server.queue import place, search
from gpugen_server.queue.search import Filter


def run_one(queue, seconds, **fields):
    lease = queue.submit_and_claim(**fields)
    queue.accept(lease.id)
    queue.complete(lease.id)
    queue.call(
        lambda store: store.change(
            "UPDATE tasks SET started_at = finished_at - ? WHERE id = ?", seconds, lease.task.id
        )
    )


def test_nothing_is_promised_before_anything_was_measured(queue):
    assert queue.get(queue.submit()).eta_seconds is None


def test_the_median_of_recent_tasks_scaled_by_the_work_is_the_estimate(queue):
    for seconds in (1.0, 2.0, 60.0):
        run_one(queue, seconds, steps=10)
    assert queue.get(queue.submit(steps=20)).eta_seconds == pytest.approx(4.0)


def test_another_size_or_model_tells_nothing(queue):
    run_one(queue, 1.0, width=64, height=64)
    assert queue.get(queue.submit(width=128, height=128)).eta_seconds is None
    assert queue.get(queue.submit(model="sdxl")).eta_seconds is None


def test_tasks_before_it_count(queue):
    run_one(queue, 2.0)
    first, second = queue.submit(), queue.submit()
    assert queue.get(second).eta_seconds == pytest.approx(2 * queue.get(first).eta_seconds)


def test_a_listing_tells_of_every_task_what_a_look_at_it_tells(queue, monkeypatch):
    run_one(queue, 2.0, steps=10)
    tasks = [queue.submit(steps=steps, priority=steps % 3) for steps in (1, 5, 3, 8)]
    wanted = Filter(user=None, state="queued")
    listed = {task.id: task for task in queue.call(search.listing, wanted, 0.0).tasks}
    assert listed == {task: queue.get(task) for task in tasks}
    assert all(task.eta_seconds for task in listed.values())


def test_nothing_is_promised_beyond_the_counted_places(queue, monkeypatch):
    monkeypatch.setattr(place, "MAX_POSITION", 2)
    run_one(queue, 2.0)
    etas = [queue.get(task).eta_seconds for task in [queue.submit() for _ in range(3)]]
    assert etas[1] is not None
    assert etas[2] is None


def test_a_running_task_has_less_and_less_to_go_and_never_less_than_nothing(queue):
    run_one(queue, 2.0)
    lease = queue.submit_and_claim()
    assert queue.get(lease.task.id).eta_seconds <= 2.0
    queue.call(lambda store: store.change("UPDATE tasks SET started_at = 1 WHERE state = 'running'"))
    assert queue.get(lease.task.id).eta_seconds == 0.0
