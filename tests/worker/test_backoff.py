"""Waiting before another try."""

from __future__ import annotations

from gpugen_worker.backoff import Backoff


def test_waits_grow_to_a_limit_each_with_a_random_part_and_begin_anew_after_success() -> None:
    backoff = Backoff(first=1.0, longest=4.0)
    waits = [backoff.next() for _ in range(6)]
    for wait, full in zip(waits, (1, 2, 4, 4, 4, 4), strict=True):
        assert full / 2 <= wait <= full
    assert len(set(waits)) == 6
    backoff.reset()
    assert backoff.next() <= 1.0
