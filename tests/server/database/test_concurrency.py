"""Everything that can happen to tasks, at once on eight connections to PostgreSQL: the stories stay whole."""

import contextlib
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gpugen_protocol.errors import Conflict, LeaseLost, NotFound
from gpugen_protocol.state import TERMINAL
from gpugen_protocol.worker import Completion
from gpugen_server.autoscale import demand
from gpugen_server.queue import claim, finish, groups, reap, retention
from gpugen_server.queue import demand as telling
from gpugen_server.queue.claim import Claimer
from gpugen_server.queue.retention import Policy

CONNECTIONS, STEPS = 8, 40
ORDINARY = (LeaseLost, Conflict, NotFound)  # somebody else was first
_EXPIRE = """
UPDATE tasks SET lease_until = 1 WHERE num = (SELECT min(num) FROM tasks WHERE state = 'running')
"""
_STATES = """
SELECT task_num, convert_from(body, 'UTF8')::json ->> 'state' FROM events ORDER BY task_num, seq
"""


class Hand:
    """One connection that does whatever its dice say."""

    def __init__(self, queue, seed):
        self.queue = queue
        self.dice = random.Random(seed)
        self.held = []

    def work(self):
        deeds = [self.submit, self.claim, self.end_and_claim] * 6
        deeds += [
            self.give_back,
            self.cancel,
            self.withdraw,
            self.tell,
            self.line_up,
            self.expire,
            self.prune,
        ]
        try:
            for _ in range(STEPS):
                self.attempt(self.dice.choice(deeds))
        finally:
            self.queue.database.disconnect()

    def attempt(self, deed):
        with contextlib.suppress(*ORDINARY):
            deed()

    def submit(self):
        group = self.dice.choice((None, "one", "two"))
        self.queue.submit(user=self.dice.choice("abc"), group=group, n=1)

    def claim(self):
        lease = self.queue.claim()
        self.held += [lease.id] if lease else []

    def end_and_claim(self):
        if not self.held:
            return
        lease, worker = self.held.pop(), self.queue.worker
        claimer = Claimer(worker=worker, models=(), count=2, lease_seconds=30.0)
        self.queue.accept(lease)

        def both(store):
            finish.complete(store, lease, worker, Completion())
            return claim.claim(store, claimer)

        self.held += [lease.id for lease in self.queue.call(both)]

    def give_back(self):
        if self.held:
            self.queue.release(self.held.pop())

    def cancel(self):
        task = self.queue.call(lambda store: store.value("SELECT id FROM tasks ORDER BY random() LIMIT 1"))
        if task:
            self.queue.cancel(task)

    def withdraw(self):
        self.queue.call(groups.withdraw, self.dice.choice(("one", "two")), None)

    def tell(self):
        self.queue.call(telling.tell_waiting, None, "starting", f"text {self.dice.random()}", None)

    def line_up(self):
        self.queue.call(demand.line_up, time.time() - 30)

    def expire(self):
        self.queue.call(lambda store: store.change(_EXPIRE))
        self.queue.call(reap.reap)

    def prune(self):
        self.queue.call(retention.prune, Policy(failed=0.5))


@pytest.mark.parametrize("where", ["postgres"], indirect=True)
def test_whatever_happens_at_once_nothing_is_refused_and_every_story_has_one_end(make_queue):
    queue = make_queue()
    hands = [Hand(make_queue(), seed) for seed in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for hand in [threads.submit(hand.work) for hand in hands]:
            hand.result(150)  # raises what was no ordinary refusal: a deadlock, a lock that took too long
    tasks = queue.call(lambda store: store.rows("SELECT num, id, state, closed FROM tasks"))
    ends = Counter(num for num, state in queue.call(lambda store: store.rows(_STATES)) if state in TERMINAL)
    for num, task, state, closed in tasks:
        queue.events(task)  # its numbers have no holes
        assert ends[num] == closed == (state in TERMINAL)
    assert Counter(state for *_, state, _ in tasks)["succeeded"]
