"""The policy of the queue: as single numbers, as the queue lives by it, and simulated over many users."""

import random
from collections import Counter, defaultdict

import pytest

from gpugen_server.queue import order
from gpugen_server.queue.order import STEP, Front, Lane


def test_the_first_task_of_all_has_the_first_turn():
    assert order.turn(Lane()) == 0


@pytest.mark.parametrize(
    ("lane", "turn"),
    [
        (Lane(served=7), 7),  # it comes into the turn that is being served
        (Lane(served=7, served_here=True), 8),  # unless its lane has had that one
        (Lane(served=7, waiting=9), 10),  # and always after those of its lane that wait
        (Lane(served=7, served_here=True, waiting=3), 8),
    ],
)
def test_a_task_gets_the_next_turn_of_its_lane_and_none_that_has_gone_by(lane, turn):
    assert order.turn(lane) == turn


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


# ---- simulated ----


class Simulation:
    """A queue in memory that asks `queue/order.py` and nothing else; time passes by tasks served."""

    def __init__(self):
        self.waiting = []  # (place, number, user, turn, came)
        self.served = -1
        self.in_turn = defaultdict(int)
        self.number = 0

    def submit(self, user, now, priority=0):
        lane = (user, priority)
        mine = [turn for _, _, who, turn, _, level in self.waiting if (who, level) == lane]
        turn = order.turn(Lane(self.served, self.in_turn[lane, self.served] > 0, max(mine, default=-1)))
        self.waiting.append((order.place(turn, priority), self.number, user, turn, now, priority))
        self.number += 1

    def serve(self):
        task = min(self.waiting)
        self.waiting.remove(task)
        _, _, user, turn, came, priority = task
        self.served = max(self.served, turn)
        self.in_turn[(user, priority), turn] += 1
        return user, came


def jain(shares):
    """Jain's fairness index: 1 when all shares are equal, 1/n when one has everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


@pytest.mark.parametrize("seed", range(5))
def test_users_who_want_more_than_their_share_get_equal_shares(seed):
    """Eight users, the busiest of which sends thirty times as much as the calmest."""
    chance, queue, served = random.Random(seed), Simulation(), Counter()
    rates = [0.3 * 1.6**user for user in range(8)]
    for user in range(8):
        queue.submit(user, 0)
    for now in range(3000):
        for user, rate in enumerate(rates):
            if chance.random() < rate or not any(task[2] == user for task in queue.waiting):
                queue.submit(user, now)
        served[queue.serve()[0]] += 1
        queue.waiting.sort()
        del queue.waiting[2000:]
    assert jain([served[user] for user in range(8)]) > 0.99


@pytest.mark.parametrize("seed", range(5))
def test_a_calm_user_never_waits_for_more_than_a_turn_of_the_others(seed):
    chance, queue, worst = random.Random(seed), Simulation(), 0
    for now in range(2000):
        for user in range(5):
            if len(queue.waiting) < 300 or user == 4:
                queue.submit(user, now) if user < 4 or chance.random() < 0.05 else None
        user, came = queue.serve()
        if user == 4:
            worst = max(worst, now - came)
    assert worst <= 2 * 5


def test_a_low_priority_is_served_within_its_steps_however_much_comes():
    queue = Simulation()
    for now in range(50):
        queue.submit("busy", now)
    queue.submit("patient", 50, priority=-3)
    for now in range(1000):
        queue.submit("busy", now)
        user, _ = queue.serve()
        if user == "patient":
            break
    assert now <= 3 * STEP + 2


@pytest.mark.parametrize("seed", range(3))
def test_looking_ahead_saves_most_loads_of_a_model(seed):
    """Two models in random order, one worker: loads with and without the look ahead."""

    def loads(look_ahead):
        chance = random.Random(seed)
        queue = [(number, chance.choice(("a", "b")), None) for number in range(600)]
        loaded, count, now = "", 0, 0.0
        while queue:
            head = Front(*queue[0])
            chosen = 0
            if look_ahead and order.may_wait(head, (loaded,), now, 60.0):
                front = queue[: order.LOOK_AHEAD]
                chosen = next((i for i, task in enumerate(front) if task[1] == loaded), 0)
                if chosen and head.passed_at is None:
                    queue[0] = (*queue[0][:2], now)
            _, model, _ = queue.pop(chosen)
            count += model != loaded
            now += 10.0 if model != loaded else 2.0
            loaded = model
        return count

    assert loads(look_ahead=True) < 0.25 * loads(look_ahead=False)
