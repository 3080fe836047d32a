"""The policy of the queue: as single numbers, and as the queue lives by it."""

import threading

import pytest
from tests.server.conftest import REGISTRY

from gpugen_protocol.request import TaskRequest
from gpugen_server.queue import order, remove, submit
from gpugen_server.queue.order import STEP, Front, Lane
from gpugen_server.queue.submit import Submission


def test_the_first_task_of_all_has_the_first_turn():
    assert order.turn(Lane()) == 0


@pytest.mark.parametrize(
    ("lane", "turn"),
    [
        (Lane(served=7), 7),  # it comes into the turn that is being served
        (Lane(served=7, served_here=True), 8),  # unless its lane has had that one
        (Lane(served=7, waiting=9), 10),  # and always after those of its lane that wait
        (Lane(served=7, served_here=True, waiting=3), 8),
        (Lane(served=7, over=7), 8),  # who had that one is forgotten
        (Lane(served=3, waiting=20, over=7), 21),
    ],
)
def test_a_task_gets_the_next_turn_of_its_lane_and_none_that_has_gone_by(lane, turn):
    assert order.turn(lane) == turn


@pytest.mark.parametrize(("priority", "turn"), [(5, 8), (0, 8), (-1, 9), (-10, 18)])
def test_the_lower_its_priority_the_fewer_turns_a_lane_takes(priority, turn):
    assert order.turn(Lane(served=7, served_here=True), priority) == turn
    assert order.turn(Lane(waiting=7), priority) == turn
    assert order.turn(Lane(), priority) == 0


def test_a_worker_passes_over_the_head_only_for_a_model_it_has_and_not_for_ever():
    assert order.may_wait(Front(1, "sdxl"), ("emoji",), 100.0, 60.0)
    assert not order.may_wait(Front(1, "emoji"), ("emoji",), 100.0, 60.0)
    assert not order.may_wait(Front(1, "sdxl"), (), 100.0, 60.0)
    assert order.may_wait(Front(1, "sdxl", passed_at=50.0), ("emoji",), 100.0, 60.0)
    assert not order.may_wait(Front(1, "sdxl", passed_at=40.0), ("emoji",), 100.0, 60.0)


# ---- the queue ----


def claimed(queue, count):
    """The prompts of the next `count` tasks, each finished before the next one is claimed."""
    found = []
    for _ in range(count):
        lease = queue.claim()
        found.append(lease.task.request.prompt)
        queue.fail(lease.id)
        queue.call(lambda store: store.change("UPDATE workers SET failures = 0, set_aside_until = NULL"))
    return found


def test_one_users_tasks_go_in_the_order_of_arrival(queue):
    for number in range(5):
        queue.submit(prompt=f"{number}")
    assert claimed(queue, 5) == ["0", "1", "2", "3", "4"]


def test_users_take_turns_however_many_tasks_each_has_sent(queue):
    for number in range(4):
        queue.submit(user="ann", prompt=f"ann {number}")
    for number in range(2):
        queue.submit(user="bob", prompt=f"bob {number}")
    assert claimed(queue, 6) == ["ann 0", "bob 0", "ann 1", "bob 1", "ann 2", "ann 3"]


def test_a_user_who_sends_one_task_at_a_time_does_not_go_before_those_who_wait(queue):
    for number in range(4):
        queue.submit(user="ann", prompt=f"ann {number}")
    found = []
    for number in range(3):
        queue.submit(user="bob", prompt=f"bob {number}")
        found += claimed(queue, 2)
    assert found == ["ann 0", "bob 0", "ann 1", "bob 1", "ann 2", "bob 2"]


def test_a_new_user_does_not_wait_for_turns_that_went_by_before(queue):
    for number in range(30):
        queue.submit(user="ann", prompt=f"ann {number}")
    claimed(queue, 20)
    queue.submit(user="bob", prompt="bob")
    assert "bob" in claimed(queue, 2)


def test_withdrawn_tasks_cost_their_user_no_turns(queue):
    for task in [queue.submit(user="ann") for _ in range(50)]:
        queue.cancel(task)
    queue.submit(user="bob", prompt="bob 0")
    queue.submit(user="bob", prompt="bob 1")
    queue.submit(user="ann", prompt="ann")
    assert claimed(queue, 2) == ["bob 0", "ann"]


def test_removing_finished_tasks_brings_no_turns(queue):
    for number in range(4):
        queue.submit(user="ann", prompt=f"ann {number}")
    found = []
    for number in range(3):
        task = queue.submit(user="bob", prompt=f"bob {number}")
        while queue.state(task) == "queued":
            found += claimed(queue, 1)
        queue.call(remove.remove, task, "bob")
    assert found == ["ann 0", "bob 0", "ann 1", "bob 1", "ann 2", "bob 2"]


def test_the_queue_does_not_fall_back_when_all_that_was_served_is_removed(queue):
    tasks = [queue.submit(user="ann", prompt=f"ann {number}") for number in range(30)]
    claimed(queue, 20)
    for task in tasks[:20]:
        queue.call(remove.remove, task, "ann")
    for number in range(3):
        queue.submit(user="bob", prompt=f"bob {number}")
    assert claimed(queue, 4) == ["ann 20", "bob 0", "ann 21", "bob 1"]


@pytest.mark.parametrize("where", ["postgres"], indirect=True)
def test_two_submits_of_one_user_at_once_get_two_turns(queue, make_database, wait_until):
    entered, leave = threading.Event(), threading.Event()
    asked = TaskRequest(prompt="a cat")
    submission = Submission(user="ann", asked=asked, resolved=REGISTRY.resolve(asked, 1), max_attempts=3)

    def slowly(store):
        submit.submit(store, submission, 0.0)
        entered.set()
        assert leave.wait(30)

    def at_once(store):
        submit.submit(store, submission, 0.0)

    def on_a_connection_of_its_own(function):
        database = make_database()
        database.call(function)
        database.disconnect()

    first = threading.Thread(target=on_a_connection_of_its_own, args=(slowly,))
    second = threading.Thread(target=on_a_connection_of_its_own, args=(at_once,))
    first.start()
    assert entered.wait(30)
    second.start()
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    wait_until(lambda: not second.is_alive() or queue.call(lambda store: store.value(waiting)), timeout=30)
    leave.set()
    first.join(30)
    second.join(30)
    assert queue.call(lambda store: store.rows("SELECT turn FROM tasks ORDER BY turn")) == [(0,), (1,)]


def test_a_higher_priority_goes_first_and_a_group_lets_single_prompts_go_first(queue):
    queue.submit(prompt="grid", group="g")
    queue.submit(prompt="single")
    queue.submit(prompt="urgent", priority=5)
    queue.submit(prompt="later", priority=-20)
    assert claimed(queue, 4) == ["urgent", "single", "grid", "later"]


def test_a_task_that_comes_back_from_its_worker_goes_first(queue):
    lease = queue.submit_and_claim(prompt="first")
    queue.submit(prompt="second")
    queue.submit(user="bob", prompt="third")
    queue.release(lease.id)
    assert claimed(queue, 1) == ["first"]


def test_a_lower_priority_waits_for_so_many_turns_and_no_more(queue):
    for number in range(3 * STEP):
        queue.submit(prompt=f"{number}")
    queue.submit(prompt="low", priority=-1)
    assert claimed(queue, 3 * STEP + 1).index("low") == STEP + 1  # its own turn is the first, moved by a step


def test_a_worker_prefers_what_it_has_loaded_for_a_while(queue):
    for prompt, model in (("a", "sdxl"), ("b", "emoji"), ("c", "emoji")):
        queue.submit(prompt=prompt, model=model)
    found = [queue.claim(queue.new_worker(), loaded=("emoji",)).task.request.prompt]
    queue.call(lambda store: store.change("UPDATE tasks SET passed_at = passed_at - 61"))
    found += [queue.claim(queue.new_worker(), loaded=("emoji",)).task.request.prompt for _ in range(2)]
    assert found == ["b", "a", "c"]


def test_a_single_prompt_is_never_passed_over_for_a_grid(queue):
    queue.submit(prompt="grid", model="emoji", group="g")
    queue.submit(prompt="single", model="sdxl")
    assert queue.claim(loaded=("emoji",)).task.request.prompt == "single"


def test_what_lies_far_behind_is_not_preferred(queue):
    for _ in range(order.LOOK_AHEAD):
        queue.submit(model="sdxl")
    queue.submit(model="emoji")
    assert queue.claim(loaded=("emoji",)).task.request.model == "sdxl"


def test_a_worker_gets_only_what_it_has_memory_and_room_for(queue):
    small = queue.new_worker(memory_bytes=1000)
    narrow = queue.new_worker(max_pixels=100 * 100)
    queue.submit(prompt="big", memory=2000)
    queue.submit(prompt="little", width=64, height=64, memory=500)
    queue.submit(prompt="tiny", width=64, height=64)
    assert queue.claim(small).task.request.prompt == "little"
    assert queue.claim(narrow).task.request.prompt == "tiny"
    assert queue.claim(queue.new_worker(max_pixels=100 * 100)) is None
    assert queue.claim().task.request.prompt == "big"


def test_a_worker_that_has_loaded_all_it_draws_with_has_nothing_to_prefer():
    assert not order.may_prefer((), ("a",))
    assert not order.may_prefer(("a", "b"), ("a",))
    assert order.may_prefer(("a",), ("a", "b"))
    assert order.may_prefer(("a",), ())
