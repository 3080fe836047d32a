"""What is forgotten, and what is kept."""

from gpugen_protocol.request import TaskRequest
from gpugen_server.queue import retention
from gpugen_server.queue.retention import Policy

DAY = 86_400.0


def age(queue, task, days):
    queue.call(
        lambda store: store.change(
            "UPDATE tasks SET finished_at = finished_at - ? WHERE id = ?", days * DAY, task
        )
    )


def drawn(queue, file="f", **fields):
    """A finished task with an image of three bytes."""
    lease = queue.submit_and_claim(**fields)
    queue.accept(lease.id, file=file)
    queue.complete(lease.id)
    return lease.task.id


def failed(queue):
    lease = queue.submit_and_claim()
    queue.fail(lease.id)
    queue.call(lambda store: store.change("UPDATE workers SET failures = 0, set_aside_until = NULL"))
    return lease.task.id


def left(queue):
    return {id for (id,) in queue.call(lambda store: store.rows("SELECT id FROM tasks"))}


def test_nothing_is_forgotten_unless_asked(queue):
    task = drawn(queue)
    age(queue, task, 10_000)
    assert queue.call(retention.prune, Policy()) == ([], False)
    assert left(queue) == {task}


def test_failed_and_finished_tasks_have_times_of_their_own(queue):
    old, young, bad, canceled = drawn(queue, "old"), drawn(queue, "young"), failed(queue), queue.submit()
    queue.cancel(canceled)
    for task in (old, bad, canceled):
        age(queue, task, 8)
    assert queue.call(retention.prune, Policy(failed=7 * DAY)) == ([], False)
    assert left(queue) == {old, young}
    assert queue.call(retention.prune, Policy(succeeded=7 * DAY)) == (["old"], False)
    assert left(queue) == {young}


def test_what_waits_or_runs_is_never_forgotten(queue):
    running, waiting = queue.submit_and_claim().task.id, queue.submit()
    queue.call(lambda store: store.change("UPDATE tasks SET created_at = 1"))
    queue.call(retention.prune, Policy(failed=1.0, succeeded=1.0, events=1.0, image_bytes=1))
    assert left(queue) == {running, waiting}


def test_beyond_so_many_bytes_the_oldest_images_go(queue):
    tasks = [drawn(queue, f"f{number}") for number in range(4)]
    for days, task in zip((4, 3, 2, 1), tasks, strict=True):
        age(queue, task, days)
    files, _ = queue.call(retention.prune, Policy(image_bytes=7))
    assert (files, left(queue)) == (["f0", "f1"], set(tasks[2:]))


def test_the_story_of_a_task_goes_before_its_end_does(queue):
    task = drawn(queue)
    told = queue.events(task)
    age(queue, task, 8)
    queue.call(retention.prune, Policy(events=7 * DAY))
    (kept,) = queue.call(lambda store: store.rows("SELECT seq FROM events"))
    assert kept == (told[-1]["seq"],)
    assert queue.call(lambda store: store.value("SELECT pruned FROM tasks")) == kept[0] - 1
    assert queue.state(task) == "succeeded"


def test_much_is_forgotten_in_batches(queue, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    tasks = [failed(queue) for _ in range(3)]
    for task in tasks:
        age(queue, task, 8)
    assert queue.call(retention.prune, Policy(failed=DAY))[1]
    assert len(left(queue)) == 1
    assert not queue.call(retention.prune, Policy(failed=DAY))[1]
    assert not left(queue)


def test_a_server_forgets_by_itself(make_server, wait_until, monkeypatch):
    monkeypatch.setattr("gpugen_server.housekeeping.PRUNE_SECONDS", 0.05)
    server = make_server(keep_failed=0.1)
    task = server.tasks().submit(TaskRequest(prompt="a cat"))
    server.tasks().cancel(task.id)
    wait_until(lambda: not server.tasks().list().tasks)
