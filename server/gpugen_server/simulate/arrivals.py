"""When tasks come and how long each takes: made up, or as a server's database recorded them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from heapq import heappop, heappush

from msgspec import Struct

from gpugen_protocol.errors import Misconfigured
from gpugen_server.database import Store

DAY = 86400.0
NIGHT = 4 * 3600.0  # the hour at which nobody comes; most come twelve hours later
_UNEVEN = 0.5  # of the logarithm of how long tasks take

Arrival = tuple[float, float]  # when it comes, and how many seconds a worker draws it; in order of the first
_RECORDED = """
SELECT created_at, finished_at - started_at FROM tasks WHERE state = 'succeeded' ORDER BY created_at
"""


class Pattern(Struct, frozen=True, kw_only=True):
    """People who sit down, send some tasks one after the other, and leave; more by day than by night.

    Attributes:
        per_day: tasks a day, on average.
        session: tasks of one sitting, on average; 1: each task comes by itself.
        pause: seconds between two tasks of a sitting, on average.
        seconds: for which a worker draws a task, on average.
    """

    days: float = 30.0
    per_day: float = 60.0
    session: float = 8.0
    pause: float = 90.0
    seconds: float = 10.0


def synthetic(pattern: Pattern, seed: int) -> Iterator[Arrival]:
    """The same for the same seed. The sittings are a Poisson process whose rate follows the hour."""
    dice = random.Random(seed)  # noqa: S311 - a simulation, no secret
    middle = math.log(pattern.seconds) - _UNEVEN**2 / 2
    for at in _times(pattern, dice):
        yield at, dice.lognormvariate(middle, _UNEVEN)


def recorded(store: Store) -> list[Arrival]:
    """Every task that succeeded, from the first one on.

    Raises:
        Misconfigured: there is none.
    """
    found = store.rows(_RECORDED)
    if not found:
        raise Misconfigured(
            "No task of this database has succeeded.",
            hint="Leave --database-url out to simulate made up ones.",
        )
    first = found[0][0]
    return [(at - first, max(0.0, seconds)) for at, seconds in found]


def _times(pattern: Pattern, dice: random.Random) -> Iterator[float]:
    pending: list[float] = []  # of sittings that have begun
    for start in _sittings(pattern, dice):
        while pending and pending[0] <= start:
            yield heappop(pending)
        at = start
        heappush(pending, at)
        while dice.random() >= 1 / pattern.session:
            at += dice.expovariate(1 / pattern.pause)
            heappush(pending, at)
    while pending:
        yield heappop(pending)


def _sittings(pattern: Pattern, dice: random.Random) -> Iterator[float]:
    """By thinning: of twice as many as come on average, each is kept with the probability of its hour.

    Lewis and Shedler 1979, "Simulation of nonhomogeneous Poisson processes by thinning".
    """
    highest = 2 * pattern.per_day / pattern.session / DAY
    at = dice.expovariate(highest)
    while at < pattern.days * DAY:
        if dice.random() < (1 - math.cos(2 * math.pi * (at - NIGHT) / DAY)) / 2:
            yield at
        at += dice.expovariate(highest)
