"""How many tasks may wait."""

import pytest

from gpugen_protocol.errors import TooManyTasks
from gpugen_server.queue.limits import Limits


def test_a_user_may_have_so_many_tasks_waiting_and_others_may_too(queue):
    limits = Limits(per_user=2)
    for user in ("ann", "ann", "bob"):
        queue.try_submit(user, limits=limits)
    with pytest.raises(TooManyTasks, match="You have 2 tasks waiting") as refused:
        queue.try_submit("ann", limits=limits)
    assert refused.value.retry_after
    queue.claim()
    assert queue.try_submit("ann", limits=limits)[1]


def test_tasks_that_have_left_the_queue_count_no_more_once_the_cap_seems_reached(queue):
    limits = Limits(per_user=3)
    for _ in range(3):
        queue.try_submit("ann", limits=limits)
        queue.claim(queue.new_worker())
    for _ in range(3):
        assert queue.try_submit("ann", limits=limits)[1]
    with pytest.raises(TooManyTasks):
        queue.try_submit("ann", limits=limits)


def test_all_users_together_may_have_so_many(queue):
    limits = Limits(total=3)
    for user in ("ann", "bob", "cid"):
        queue.try_submit(user, limits=limits)
    with pytest.raises(TooManyTasks, match="3 tasks are waiting"):
        queue.try_submit("dee", limits=limits)


def test_a_submit_that_is_sent_again_is_never_refused(queue):
    limits = Limits(per_user=1)
    task, _ = queue.try_submit("ann", key="k", limits=limits)
    assert queue.try_submit("ann", key="k", limits=limits) == (task, False)
