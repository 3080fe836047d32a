"""How tasks are put into words."""

from __future__ import annotations

import pytest

from gpugen.words import clock, duration, headline, outcome, settings
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.task import Task, Timings


def task(n: int = 1, state: str = "succeeded", total: float | None = 1.64) -> Task:
    request = ResolvedRequest(
        prompt="a cat",
        model="sdxl",
        width=64,
        height=32,
        steps=1,
        guidance=3.5,
        seed=7,
        n=n,
        scheduler="ddim",
    )
    return Task(
        id="t",
        state=state,  # type: ignore[arg-type]
        phase="done",
        request=request,
        user="local",
        created_at="x",
        timings=Timings(total=total),
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (48.2, "48 s"),
        (59.7, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3780, "1 h 3 min"),
    ],
)
def test_a_duration_has_the_units_it_needs(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00"), (48.9, "0:48"), (750, "12:30"), (3723, "1:02:03")]
)
def test_a_clock_keeps_its_form(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_a_long_prompt_of_many_lines_is_one_short_line() -> None:
    assert headline("a\n  cat\tin a hat") == "a cat in a hat"
    assert headline("x" * 121) == "x" * 119 + "…"


def test_settings_name_every_seed() -> None:
    assert settings(task().request) == "sdxl · 64×32 · 1 step · guidance 3.5 · seed 7"
    assert settings(task(n=4).request).endswith("seeds 7 to 10")


@pytest.mark.parametrize(
    ("n", "state", "words"),
    [
        (1, "succeeded", "Done in 1.6 s"),
        (1, "canceled", "Canceled"),
        (4, "canceled", "Canceled after 0 of 4 images"),
        (1, "failed", "Failed"),
        (1, "running", "Not waited for: it is running"),
    ],
)
def test_the_outcome_says_how_far_it_came(n: int, state: str, words: str) -> None:
    assert outcome(task(n, state)) == words


def test_without_the_server_s_time_the_own_clock_counts() -> None:
    assert outcome(task(total=None), elapsed=2.04) == "Done in 2.0 s"
    assert outcome(task(total=None)) == "Done"


def test_a_prompt_of_somebody_else_does_not_steer_a_terminal() -> None:
    assert headline("a\x1b[2Jb\u202e\nc") == "a[2Jb c"
