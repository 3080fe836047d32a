"""The policy of the queue over many users and tasks, simulated: shares, waits and loads of a model."""

import heapq
import itertools
import random
from collections import Counter

import pytest

from gpugen_server.queue import order
from gpugen_server.queue.order import STEP, Front, Lane


class Simulation:
    """A queue in memory that asks `queue/order.py` and nothing else; time passes by tasks served."""

    def __init__(self):
        self.served = -1
        self.waiting = Counter()  # tasks of each lane
        self._line = []
        self._last = {}  # the turn that each lane's last task got
        self._in_turn = set()
        self._numbers = itertools.count()

    def submit(self, user, now, priority=0):
        lane = (user, priority)
        waiting = self._last[lane] if self.waiting[lane] else -1
        turn = order.turn(Lane(self.served, (lane, self.served) in self._in_turn, waiting), priority)
        heapq.heappush(self._line, (order.place(turn, priority), next(self._numbers), lane, turn, now))
        self._last[lane] = turn
        self.waiting[lane] += 1

    def serve(self):
        """The lane whose task is next, and when that came."""
        _, _, lane, turn, came = heapq.heappop(self._line)
        self.waiting[lane] -= 1
        self.served = max(self.served, turn)
        self._in_turn.add((lane, turn))
        return lane, came


def jain(shares):
    """Jain's fairness index: 1 when all shares are equal, 1/n when one has everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


@pytest.mark.parametrize("seed", range(5))
def test_users_who_want_more_than_their_share_get_equal_shares(seed):
    """Eight users, the busiest of which sends 27 times as much as the calmest."""
    chance, queue, served = random.Random(seed), Simulation(), Counter()
    rates = [0.3 * 1.6**user for user in range(8)]
    for now in range(3000):
        for user, rate in enumerate(rates):
            many = int(rate) + (chance.random() < rate % 1)
            for _ in range(many or not queue.waiting[user, 0]):
                queue.submit(user, now)
        (user, _), _ = queue.serve()
        served[user] += 1
    assert jain([served[user] for user in range(8)]) > 0.99


@pytest.mark.parametrize("seed", range(5))
def test_a_calm_user_never_waits_for_more_than_a_turn_of_the_others(seed):
    chance, queue, worst = random.Random(seed), Simulation(), 0
    for now in range(2000):
        for user in range(4):
            queue.submit(user, now)
        if chance.random() < 0.05:
            queue.submit("calm", now)
        (user, _), came = queue.serve()
        if user == "calm":
            worst = max(worst, now - came)
    assert 0 < worst <= 2 * 5


def test_a_low_priority_is_served_within_its_steps_however_much_comes():
    queue = Simulation()
    for now in range(50):
        queue.submit("busy", now)
    queue.submit("patient", 50, priority=-3)
    for now in range(1000):
        queue.submit("busy", now)
        (user, _), _ = queue.serve()
        if user == "patient":
            break
    assert now <= 3 * STEP + 2


def test_a_grid_goes_on_beside_single_prompts_that_never_end_and_takes_little_from_them():
    queue, served = Simulation(), Counter()
    for now in range(1200):
        queue.submit("single", now)
        queue.submit("grid", now, order.GROUP_PRIORITY)
        (user, _), _ = queue.serve()
        served[user] += 1
    assert served["grid"] == pytest.approx((1200 - 100) / 12, abs=2)  # after its lead every twelfth task


@pytest.mark.parametrize("levels", [2, 4, 8])
def test_spreading_tasks_over_priorities_brings_a_user_little(levels):
    """Of two users who send without end, one does so on several priorities at once."""
    queue, served = Simulation(), Counter()
    for now in range(4000):
        queue.submit("honest", now)
        for level in range(levels):
            queue.submit("clever", now, -level)
        (user, _), _ = queue.serve()
        served[user] += now >= 1000  # by then the lead of the higher priorities is used up
    harmonic = sum(1 / level for level in range(1, levels + 1))
    assert served["clever"] / served["honest"] == pytest.approx(harmonic, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_looking_ahead_saves_most_loads_of_a_model(seed):
    """Two models in random order, one worker: loads with and without the look ahead."""

    def loads(look_ahead):
        chance = random.Random(seed)
        queue = [(number, chance.choice(("a", "b")), None) for number in range(600)]
        loaded, count, now = "", 0, 0.0
        while queue:
            number, model, passed_at = queue[0]
            head = Front(number, model, passed_at=passed_at)
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
