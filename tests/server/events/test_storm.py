"""Events to watchers that come and go, over a valkey that is killed, stopped and started empty."""

import random
import signal
import threading
import time

import pytest
from tests.server.events.test_bus import own_valkey  # noqa: F401 - a fixture
from tests.server.listener import Listener

from gpugen_protocol.events import LogEvent
from gpugen_protocol.request import TaskRequest
from gpugen_server.events import log
from gpugen_server.queue import records

EVENTS = 500
WATCHERS = 5


class Watching(threading.Thread):
    """One watcher that drops its socket at random and comes back where it was; `told` is what it was told."""

    def __init__(self, servers, task, seed):
        super().__init__(daemon=True)
        self.told = []
        self.drops = 0
        self._servers, self._task, self._chance = servers, task, random.Random(seed)

    def run(self):
        while len(self.told) < EVENTS + 2:
            server = self._chance.choice(self._servers)
            after = self.told[-1] if self.told else 0
            listener = Listener(server.url, server.user_token, f"?task={self._task}&after={after}")
            enough = self._chance.randrange(20, 200)
            until = time.monotonic() + self._chance.uniform(0.05, 0.5)
            while time.monotonic() < until or len(listener.numbers()) == 0:
                if len(listener.numbers()) >= enough or listener.closed:
                    break
                time.sleep(0.005)
            listener.close()
            self.drops += 1
            self.told += listener.numbers()


def say(store, task, count):
    key = records.find(store, task, None).key
    for _ in range(count):
        log.append(store, key, LogEvent, message="x")


@pytest.mark.parametrize("seed", [1, 2])
def test_no_watcher_misses_or_doubles_a_number_whatever_happens_to_valkey(
    make_server,
    own_valkey,  # noqa: F811
    wait_until,
    seed,
):
    chance = random.Random(seed)
    one = make_server(redis=own_valkey.url)
    two = make_server(redis=own_valkey.url, data=one.settings.data)
    task = one.tasks().submit(TaskRequest(prompt="a cat")).id
    watching = [Watching([one, two], task, 100 * seed + number) for number in range(WATCHERS)]
    for each in watching:
        each.start()
    hurts = {chance.randrange(EVENTS): hurt for hurt in ("kill", "stop", "kill", "stop", "kill")}
    said, mending = 0, threading.Timer(0, lambda: None)
    mending.start()
    while said < EVENTS:
        if any(said <= at < said + 10 for at in hurts):
            hurt = hurts.pop(next(at for at in hurts if said <= at < said + 10))
            mending.join()  # one hurt at a time
            mending = _hurt(own_valkey, hurt, chance)
        count = min(EVENTS - said, chance.randrange(1, 8))
        chance.choice([one, two]).query(say, task, count)
        said += count
    mending.join()
    for each in watching:
        each.join(60)
    for each in watching:
        assert each.told == list(range(1, EVENTS + 3)), _first_wrong(each.told)
    assert sum(each.drops for each in watching) > 2 * WATCHERS


def _first_wrong(told):
    wrong = next((i for i, number in enumerate(told, start=1) if number != i), len(told))
    return f"{len(told)} numbers, wrong from {told[max(0, wrong - 3) : wrong + 3]}"


def _hurt(valkey, hurt, chance):
    """Hurt it now, and mend it a moment later, meanwhile events go on."""

    def mend():
        if hurt == "kill":
            valkey.start()  # empty
        else:
            valkey.signal(signal.SIGCONT)

    valkey.kill() if hurt == "kill" else valkey.signal(signal.SIGSTOP)
    timer = threading.Timer(chance.uniform(0.05, 1.5), mend)
    timer.start()
    return timer
