"""The queue against its reference: random users, workers and losses, on both databases.

The same examples every time; with `MACHINE_EXAMPLES=2000` in the environment, so many new ones.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.server.conftest import Queue
from tests.server.queue.machine import Machine

from gpugen_server.queue import order

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "0"))
EFFORT = settings(
    max_examples=EXAMPLES or 120,
    stateful_step_count=50,
    deadline=None,  # nothing is timed
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def short_look_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short enough that tasks lie beyond it."""
    monkeypatch.setattr(order, "LOOK_AHEAD", 3)


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_the_queue_does_what_its_reference_does(queue: Queue) -> None:
    run_state_machine_as_test(lambda: Machine(queue), settings=EFFORT)


@pytest.mark.parametrize("where", ["postgres"], indirect=True)
def test_so_it_does_on_postgresql(queue: Queue) -> None:
    fewer = settings(EFFORT, max_examples=EFFORT.max_examples // 4)  # each step takes longer
    run_state_machine_as_test(lambda: Machine(queue), settings=fewer)
