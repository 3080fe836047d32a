"""What a hold lets through of previews."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gpugen_protocol.events import PreviewReport
from gpugen_worker import lease
from gpugen_worker.lease import PREVIEW_SECONDS, Hold
from gpugen_worker.patience import Patience
from gpugen_worker.stop import Stop


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lease, "time", clock)
    return clock


@pytest.fixture
def hold(clock: Clock) -> Hold:
    session: Any = SimpleNamespace(terms=SimpleNamespace(heartbeat_seconds=10.0))
    held: Any = SimpleNamespace(expires_in=30.0)
    return Hold(held, session, Stop(1.0), Patience())


def sent(hold: Hold) -> list[str]:
    found = []
    while not hold._inbox.empty():
        report = hold._inbox.get()
        assert isinstance(report, PreviewReport)
        found.append(report.data)
    return found


def drawn(hold: Hold, clock: Clock, seconds: float, step: float, cost: float) -> int:
    """How many previews are made in `seconds` of steps, the time of the previews left out."""
    count = 0
    for number in range(round(seconds / step)):
        clock.now += step
        if hold.wants_preview:
            clock.now += cost
            hold.preview(0, number, b"%d" % number, cost)
            count += 1
    return count


def test_at_most_four_previews_a_second_are_asked_for(hold: Hold, clock: Clock) -> None:
    assert 36 <= drawn(hold, clock, seconds=10.0, step=0.01, cost=0.001) <= 41


@pytest.mark.parametrize("cost", [0.1, 0.5, 2.0])
def test_making_them_takes_a_tenth_of_the_time_at_most(hold: Hold, clock: Clock, cost: float) -> None:
    spent = cost * drawn(hold, clock, seconds=100.0, step=0.05, cost=cost)
    assert spent <= 0.1 * (100.0 + spent) + cost


def test_an_unchanged_preview_is_not_sent_again(hold: Hold, clock: Clock) -> None:
    for image, jpeg in ((0, b"a"), (0, b"a"), (0, b"b"), (1, b"b")):
        clock.now += PREVIEW_SECONDS
        hold.preview(image, 1, jpeg)
    assert len(sent(hold)) == 3
