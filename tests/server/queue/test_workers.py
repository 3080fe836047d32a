import time

from gpugen_server.queue import workers


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
