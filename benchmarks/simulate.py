"""How fast the simulation is: a day of a million tasks, and of nearly ten thousand workers."""

from __future__ import annotations

import os
import resource
import time

from benchmarks.figures import Figure
from gpugen_server.autoscale.plan import Rules
from gpugen_server.simulate.arrivals import Pattern, synthetic
from gpugen_server.simulate.world import Terms, World

DAYS = float(os.environ.get("SIMULATED_DAYS", "1"))  # ten of them are ten million tasks
BUSY = Pattern(days=DAYS, per_day=1_000_000, session=8, pause=90, seconds=400)


def run() -> list[Figure]:
    """One run, by the clock and by the processor's time."""
    start, used = time.perf_counter(), time.process_time()
    found = World(Terms(rules=Rules(max_workers=10_000))).run(synthetic(BUSY, 1))
    seconds, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    note = f"{found.waits.count:,} tasks, {found.most:,} workers at most, {found.starts:,} started"
    return [
        Figure("simulated tasks, whole run", seconds, "s", note=note),
        Figure("processor time of a task", used / found.waits.count * 1e6, "us"),
        Figure("peak resident memory", peak, "MB"),
    ]
