"""Tests of what ends `make watch`. What it watches is stood in for."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = "print('watching', flush=True); input()"
WRAPPER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {PROGRAM!r}])"
WATCH = [sys.executable, "-m", "tools.watch", sys.executable, "-c"]


@pytest.fixture
def watched() -> Iterator[subprocess.Popen[str]]:
    """A watch of a wrapper in Python around a program in Python, as jlpm is one."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*WATCH, WRAPPER],
        cwd=ROOT,
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_all_of_it_without_a_word(watched: subprocess.Popen[str], number: signal.Signals) -> None:
    assert watched.stdout is not None
    assert watched.stdout.readline() == "watching\n"
    os.killpg(watched.pid, number)  # as a terminal does it
    assert watched.stdout.read() == ""  # ends when the last of them has
    assert watched.wait() == 0


def test_what_fails_by_itself_says_so() -> None:
    assert subprocess.call([*WATCH, "raise SystemExit(3)"], cwd=ROOT) == 3
