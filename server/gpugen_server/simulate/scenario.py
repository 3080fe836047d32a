"""One choice of the settings that matter, and its price: how long people wait, what it costs."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from gpugen_server.autoscale.plan import Rules
from gpugen_server.simulate.arrivals import DAY, Arrival
from gpugen_server.simulate.world import Terms, World


class Fleet(Struct, frozen=True, kw_only=True):
    """What may be chosen, and what the machines are like; seconds, and dollars an hour."""

    max_workers: int
    idle: float
    boot: float
    hourly: float


class Result(Struct, frozen=True, kw_only=True):
    """What a choice leads to. Waits are from submit to a worker that draws, in seconds; costs in dollars.

    Attributes:
        cold: the share of tasks that waited for longer than half a boot.
        busy: the share of the time paid for in which something was drawn.
        most: the most machines at one time.
    """

    max_workers: int
    idle: float
    tasks: int
    wait_median: float
    wait_p95: float
    wait_mean: float
    cold: float
    cost_per_day: float
    cost_per_task: float
    hours: float
    busy: float
    starts: int
    most: int


def play(fleet: Fleet, arrivals: Iterable[Arrival], seed: int = 0) -> Result:
    """Simulate `arrivals` with `fleet`; the same for the same seed."""
    world = World(Terms(rules=Rules(max_workers=fleet.max_workers, idle=fleet.idle), boot=fleet.boot), seed)
    found = world.run(arrivals)
    waits, cost = found.waits, found.billed / 3600 * fleet.hourly
    return Result(
        max_workers=fleet.max_workers,
        idle=fleet.idle,
        tasks=waits.count,
        wait_median=waits.percentile(0.5),
        wait_p95=waits.percentile(0.95),
        wait_mean=waits.mean,
        cold=waits.share_over(fleet.boot / 2),
        cost_per_day=cost / max(1.0, found.ended_at / DAY),
        cost_per_task=cost / max(1, waits.count),
        hours=found.billed / 3600,
        busy=found.drawn / found.billed if found.billed else 0.0,
        starts=found.starts,
        most=found.most,
    )
