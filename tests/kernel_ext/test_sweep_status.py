"""All the tasks of a grid as one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.kernel_ext.test_status import image, phase, step, task

from gpugen.grid import Axis
from gpugen.status import Status
from gpugen.sweep_status import SweepStatus


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def status(clock: list[float]) -> SweepStatus:
    """Two points, an image each, of twenty steps."""
    requests = [msgspec.structs.replace(task().request, guidance=value) for value in (3.0, 5.0)]
    members = [
        Status(msgspec.structs.replace(task(), request=request), lambda: clock[0]) for request in requests
    ]
    axes = [Axis("guidance", (3.0, 5.0))]
    points: list[dict[str, Any]] = [{"guidance": 3.0}, {"guidance": 5.0}]
    return SweepStatus("grid-1", "a cat", axes, points, members)


def test_it_says_what_all_have_in_common_and_what_is_tried(status: SweepStatus) -> None:
    assert status.title == "a cat"
    assert "20 steps" in status.settings
    assert "guidance 3" not in status.settings
    assert status.settings.endswith("2 values of guidance")
    assert [tile.lines for tile in status.board.tiles] == [("guidance 3",), ("guidance 5",)]


def test_its_progress_is_that_of_all(status: SweepStatus, clock: list[float]) -> None:
    first, second = status.members
    assert (status.fraction, status.remaining, status.stage) == (None, None, 0)
    first.apply(phase("drawing", 1))
    first.apply(step(1, pace=1.0))
    clock[0] += 10.0
    first.apply(step(10, pace=1.0))
    assert status.fraction == 0.25
    assert status.remaining == pytest.approx(30.0)
    assert status.sentence == "0 of 2 images · step 10 of 20 · 1 s a step"
    first.apply(image(0))
    first.state = "succeeded"
    assert status.fraction == 0.5
    assert status.sentence.startswith("1 of 2 images")
    assert not status.finished
    second.state = "failed"
    assert status.finished


def test_stopping_stops_all_and_notes_are_said_once(status: SweepStatus) -> None:
    status.canceling = True
    assert all(member.canceling for member in status.members)
    assert status.sentence == "Stopping"
    for member in status.members:
        member.warnings.append("Not read: x")
    assert status.notes == ("Not read: x",)
