import time

from gpugen_protocol.worker import Failure
from gpugen_server.images import accept
from gpugen_server.images.accept import Arrival
from gpugen_server.images.codec import Encoded
from gpugen_server.queue import finish, reap, workers

PICTURE = Encoded(b"png", "sha", "s")


def listing(queue, live_after=0.0, user=None):
    return {worker.id: worker for worker in queue.call(workers.listing, live_after, user)}


def test_a_worker_is_idle_then_busy_then_gone(queue):
    assert listing(queue)[queue.worker].state == "idle"
    lease = queue.submit_and_claim()
    busy = listing(queue)[queue.worker]
    assert (busy.state, busy.task) == ("busy", lease.task.id)
    assert listing(queue, time.time() + 1)[queue.worker].state == "gone"


def test_which_task_a_worker_draws_is_told_to_its_user_alone(queue):
    lease = queue.submit_and_claim(user="ann")
    assert listing(queue, user="ann")[queue.worker].task == lease.task.id
    theirs = listing(queue, user="bob")[queue.worker]
    assert (theirs.state, theirs.task) == ("busy", None)


def test_a_sign_of_life_is_noted_but_not_every_time(queue):
    def seen():
        return queue.call(lambda store: store.value("SELECT seen_at FROM workers"))

    fresh = seen()
    queue.call(workers.touch, queue.worker)
    assert seen() == fresh
    queue.call(lambda store: store.change("UPDATE workers SET seen_at = 1"))
    queue.call(workers.touch, queue.worker)
    assert seen() >= fresh


def test_workers_long_gone_are_neither_listed_nor_kept(queue):
    old = queue.new_worker()
    queue.call(lambda store: store.change("UPDATE workers SET seen_at = 1 WHERE id = ?", old))
    assert old not in listing(queue)
    queue.new_worker()
    assert queue.call(lambda store: store.value("SELECT count(*) FROM workers WHERE id = ?", old)) == 0


def test_a_worker_without_models_serves_any(queue):
    (worker,) = queue.call(workers.live, 0.0)
    assert worker.serves("anything")
    queue.new_worker("emoji")
    assert sorted(worker.serves("sdxl") for worker in queue.call(workers.live, 0.0)) == [False, True]


def failing(queue, worker, code="error", retryable=False, task=None):
    """The next task fails in the hands of `worker`."""
    task or queue.submit()
    lease = queue.claim(worker)
    queue.call(finish.fail, lease.id, worker, Failure(code=code, message="No.", retryable=retryable))
    return lease.task.id


def shown(queue, worker):
    (found,) = [one for one in queue.call(workers.listing, 0.0, None) if one.id == worker]
    return found


def test_a_worker_that_fails_at_three_tasks_in_a_row_is_set_aside_for_a_while(queue):
    bad = queue.new_worker()
    for _ in range(workers.MOST_FAILURES):
        failing(queue, bad)
    task = queue.submit()
    assert queue.claim(bad) is None
    assert (shown(queue, bad).state, shown(queue, bad).text.split(":")[0]) == (
        "set aside",
        "3 failures in a row",
    )
    assert queue.claim().task.id == task  # another one goes on with the queue
    queue.call(lambda store: store.change("UPDATE workers SET set_aside_until = 1"))
    failing(queue, bad)
    left = (
        queue.call(lambda store: store.value("SELECT set_aside_until FROM workers WHERE failures = 4"))
        - time.time()
    )
    assert 100 < left < 130  # longer each time


def lose(queue, worker):
    """`worker` dies with a task in its hands that nobody could draw."""
    queue.submit()
    lease = queue.claim(worker)
    queue.call(lambda store: store.change("UPDATE tasks SET max_attempts = 1 WHERE id = ?", lease.task.id))
    queue.expire(lease.id)
    queue.call(reap.reap)


def test_a_worker_that_crashes_and_comes_back_each_time_is_set_aside_as_well(queue):
    for _ in range(workers.MOST_FAILURES):
        lose(queue, queue.new_worker(name="crashing"))
    queue.submit()
    assert queue.claim(queue.new_worker(name="crashing")) is None
    assert queue.claim(queue.new_worker(name="crashing", user="another")) is not None


def test_the_task_that_kills_it_counts_once_for_a_worker_that_comes_back(queue):
    queue.submit()
    for _ in range(3):
        lease = queue.claim(queue.new_worker(name="killed"))
        queue.expire(lease.id)
    queue.submit()
    assert queue.claim(queue.new_worker(name="killed")) is not None


def test_a_success_clears_its_name(queue):
    worker = queue.new_worker()
    for _ in range(2 * workers.MOST_FAILURES):
        failing(queue, worker)
        queue.submit()
        lease = queue.claim(worker)
        queue.call(
            lambda store, lease=lease: accept.accept(store, Arrival(lease.id, worker, 0, PICTURE, "f"), 30.0)
        )
        queue.complete(lease.id, worker)
    assert shown(queue, worker).state == "idle"


def test_one_bad_task_or_a_refused_one_says_nothing_about_a_worker(queue):
    worker = queue.new_worker()
    queue.submit()
    for _ in range(2):
        failing(queue, worker, retryable=True, task="the same again")
    for _ in range(5):
        failing(queue, worker, code="not_supported")
    assert shown(queue, worker).state == "idle"
