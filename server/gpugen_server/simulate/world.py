"""Queue and machines as events in simulated time; what to do about the machines says the autoscaler's policy.

Nothing is done for every machine at every moment: a task costs two steps of a heap, whoever else is there.
The policy is asked as the server asks it, after submits and every few seconds, about what can matter to it:
machines leave only when they are idle, those that were without work for longest first, so it is shown just as
many of them as could have to go.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import OrderedDict, deque
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Literal

from msgspec import Struct

from gpugen_server.autoscale.gce.provider import GceProvider
from gpugen_server.autoscale.machine import Machine, Sighting
from gpugen_server.autoscale.plan import Recent, Rules, Scene, Work, desired, missing, steps
from gpugen_server.autoscale.recruiter import AT_ONCE
from gpugen_server.simulate.arrivals import Arrival
from gpugen_server.simulate.spread import Spread

RHYTHM = GceProvider.rhythm
POWER_OFF = 20.0  # seconds that a machine costs after its worker has left
LEAST_BILLED = 60.0  # seconds; the cloud's minimum
_UNEVEN = 0.2  # of the logarithm of how long booting takes
_RUNNING = Sighting(state="running")

Kind = Literal["ready", "done", "idle"]


class Terms(Struct, frozen=True, kw_only=True):
    """What is simulated: the policy's rules, and what machines are like.

    Attributes:
        boot: seconds from asking for a machine until its worker draws, on average.
    """

    rules: Rules
    boot: float = 150.0


class Outcome(Struct, kw_only=True):
    """What came of it.

    Attributes:
        waits: seconds from submit to a worker that draws.
        billed: seconds of all machines together; in `drawn` of them something was drawn.
        starts: how many machines were asked for, `most` at one time.
        ended_at: when the last machine was gone.
    """

    waits: Spread
    billed: float = 0.0
    drawn: float = 0.0
    starts: int = 0
    most: int = 0
    ended_at: float = 0.0


class _Box:
    """One machine."""

    __slots__ = ("asked_at", "id", "used_at", "watched")

    def __init__(self, number: int, asked_at: float) -> None:
        self.id = f"{number:09d}"
        self.asked_at = self.used_at = asked_at
        self.watched = False  # whether an event will look if it was idle for long

    def as_machine(self, worker: str | None) -> Machine:
        """As the server has it in its table; a machine that boots has no `worker` yet."""
        return Machine(
            id=self.id,
            name=self.id,
            worker=worker,
            created_at=self.asked_at,
            asked_at=self.asked_at,
            up_at=self.asked_at,
            busy_at=self.used_at if worker else None,
        )


class World:
    """One run. The task that waited longest goes to the worker that was idle for longest."""

    def __init__(self, terms: Terms, seed: int = 0) -> None:
        self.outcome = Outcome(waits=Spread())
        self._terms = terms
        self._rules = terms.rules
        self._dice = random.Random(seed)  # noqa: S311 - a simulation, no secret
        self._recent = Recent(terms.rules.window)
        self._events: list[tuple[float, int, Kind, _Box]] = []
        self._order = itertools.count()
        self._queue: deque[Arrival] = deque()
        self._waiting = 0.0  # seconds of work in the queue
        self._running = 0
        self._ends = 0.0  # of what runs, the times of the ends together
        self._there = 0
        self._booting: OrderedDict[_Box, None] = OrderedDict()  # both by `used_at`
        self._idle: OrderedDict[_Box, None] = OrderedDict()
        self._look_at = math.inf  # the next look
        self._looked_at = -math.inf

    def run(self, arrivals: Iterable[Arrival]) -> Outcome:
        """Until the last machine is gone."""
        for arrival in arrivals:
            self._until(arrival[0])
            self._arrive(arrival)
        self._until(math.inf)
        return self.outcome

    def _until(self, end: float) -> None:
        events = self._events
        while True:
            following = events[0][0] if events else math.inf
            if self._look_at < following and self._look_at <= end:
                self._look(self._look_at)
            elif events and following <= end:
                self._happen(*heappop(events))
            else:
                return

    def _happen(self, now: float, _: int, kind: Kind, box: _Box) -> None:
        if kind == "idle":
            return self._check_idle(now, box)
        if kind == "done":
            self._running -= 1
            self._ends = self._ends - now if self._running else 0.0
        else:
            del self._booting[box]
        return self._free(now, box)

    def _add(self, at: float, kind: Kind, box: _Box) -> None:
        heappush(self._events, (at, next(self._order), kind, box))

    # ---- the queue ----

    def _arrive(self, arrival: Arrival) -> None:
        now, seconds = arrival
        if self._idle:
            box, _ = self._idle.popitem(last=False)
            self._begin(now, box, arrival)
        else:
            self._queue.append(arrival)
            self._waiting += seconds
        self._look_at = min(self._look_at, max(now, self._looked_at + RHYTHM.least))

    def _begin(self, now: float, box: _Box, arrival: Arrival) -> None:
        came_at, seconds = arrival
        self.outcome.waits.add(now - came_at)
        self.outcome.drawn += seconds
        self._running += 1
        self._ends += now + seconds
        self._add(now + seconds, "done", box)

    def _free(self, now: float, box: _Box) -> None:
        box.used_at = now
        if self._queue:
            arrival = self._queue.popleft()
            self._waiting = self._waiting - arrival[1] if self._queue else 0.0
            return self._begin(now, box, arrival)
        self._idle[box] = None
        if not box.watched:
            box.watched = True
            self._add(now + self._rules.idle, "idle", box)
        return None

    # ---- the machines ----

    def _check_idle(self, now: float, box: _Box) -> None:
        """A worker leaves by itself when it was idle for long."""
        box.watched = False
        if box not in self._idle:
            return
        if now >= box.used_at + self._rules.idle:
            return self._leave(now, box)
        box.watched = True
        return self._add(box.used_at + self._rules.idle, "idle", box)

    def _look(self, now: float) -> None:
        self._looked_at = now
        work = Work(
            waiting=len(self._queue),
            running=self._running,
            seconds=self._waiting,
            left=max(0.0, self._ends - self._running * now),
        )
        wanted = desired(work, self._rules)
        lacking = missing(wanted, self._rules, (), others=self._there)
        for _ in range(min(lacking, AT_ONCE)):
            self._ask(now)
        self._let_go(now, self._recent.note(now, wanted))
        pace = RHYTHM.short if self._booting else RHYTHM.usual
        self._look_at = now + pace if self._there > 1 else math.inf  # the only one leaves by itself

    def _ask(self, now: float) -> None:
        outcome = self.outcome
        outcome.starts += 1
        self._there += 1
        outcome.most = max(outcome.most, self._there)
        middle = math.log(self._terms.boot) - _UNEVEN**2 / 2 if self._terms.boot else -math.inf
        seconds = self._dice.lognormvariate(middle, _UNEVEN) if self._terms.boot else 0.0
        box = _Box(outcome.starts, now)
        self._booting[box] = None
        self._add(now + seconds, "ready", box)

    def _let_go(self, now: float, wanted: int) -> None:
        """What the policy finds needless: it is shown those without work that may be among the first."""
        needless = self._there - wanted
        if needless <= 0 or not self._idle:
            return
        idle = list(itertools.islice(self._idle, needless))
        booting = [box.as_machine(None) for box in itertools.islice(self._booting, needless)]
        machines = [*(box.as_machine(box.id) for box in idle), *booting]
        scene = Scene(
            now=now,
            since=now,
            machines=machines,
            sightings={machine.name: _RUNNING for machine in machines},
            wanted=wanted - (self._there - len(machines)),
        )
        boxes = {box.id: box for box in idle}
        for step in steps(self._rules, scene):
            if step.kind == "leave":
                self._leave(now, boxes[step.name])

    def _leave(self, now: float, box: _Box) -> None:
        del self._idle[box]
        self._there -= 1
        outcome = self.outcome
        outcome.billed += max(LEAST_BILLED, now + POWER_OFF - box.asked_at)
        outcome.ended_at = now + POWER_OFF
