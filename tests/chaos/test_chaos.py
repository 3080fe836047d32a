"""Kills, pauses and cuts off the real parts at random instants, and reads what happened.

`CHAOS_SECONDS` is how long (40), `CHAOS_SEED` where the dice begin; a failure names the seed of its round.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos import mutants, verdict
from tests.chaos.round import Plan, Round
from tests.postgres import FAST, Postgres

SECONDS = float(os.environ.get("CHAOS_SECONDS", "40"))
SEED = int(os.environ.get("CHAOS_SEED", random.randrange(10**6)))
ROUND = 25.0  # seconds of faults in one round: a history that a person can still read
SHARE = {"sqlite": 5 / 8, "postgres": 3 / 8}  # of the time
MUTANT_ROUNDS = 8  # within which each mutant must be caught
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300 + 6 * SECONDS)]


@pytest.fixture
def mortal_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that may be killed: what it has acknowledged survives that."""
    with tempfile.TemporaryDirectory(prefix="gg-") as folder:  # pytest's own are closed to its user
        server = Postgres(Path(folder), FAST)
        yield server
        server.stop()


def play(plan: Plan, folder: Path, postgres: Postgres | None = None) -> tuple[list[str], str]:
    """What was broken in a round, and a text that tells how much happened and how to see it again."""
    folder.mkdir()
    entries = Round(plan, folder, postgres).run()
    counts = ", ".join(f"{name} {count}" for name, count in sorted(verdict.summary(entries).items()))
    text = f"CHAOS_SEED={plan.seed}, {plan.seconds:g} s, {folder / 'history.jsonl'}: {counts}"
    sys.stderr.write(f"{text}\n")
    return verdict.violations(entries), text


@pytest.mark.parametrize("kind", SHARE)
def test_nothing_is_lost_accepted_twice_or_accepted_from_a_stale_attempt(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = request.getfixturevalue("mortal_postgres") if kind == "postgres" else None
    left, seed = SECONDS * SHARE[kind], SEED
    while left > 0:
        broken, text = play(Plan(seed, min(left, ROUND)), tmp_path / str(seed), postgres)
        assert not broken, "\n".join([text, *broken])
        left, seed = left - ROUND, seed + 1


@pytest.mark.parametrize("mutant", mutants.MUTANTS)
def test_a_broken_rule_is_caught(mutant: str, tmp_path: Path) -> None:
    program = (sys.executable, str(Path(mutants.__file__)), mutant)
    rounds = []
    for seed in range(SEED, SEED + MUTANT_ROUNDS):
        broken, text = play(Plan(seed, 10.0, program), tmp_path / str(seed))
        rounds.append(text)
        if any(sentence.startswith(("ACCEPTED_TWICE", "STALE_ACCEPTED")) for sentence in broken):
            return
    pytest.fail("\n".join(["nobody noticed", *rounds]))
