"""Tests of the guard: real processes, real signals."""

import signal
import subprocess
import sys

import psutil
import pytest
from tests.fakes import until

from gpugen_server import guard

PYTHON = [sys.executable, "-I", "-S"]


@pytest.fixture
def guarded(tmp_path):
    """Start a child under a guard; gives the guard's Popen and the child's process, and cleans up."""
    started = []

    def start(code, grace="0.5", setup=""):
        pid_file = tmp_path / "pid"
        ready = f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))"
        lines = f"import os, signal, time\n{setup}\n{ready}\n{code}"
        process = subprocess.Popen(
            [*PYTHON, guard.__file__, grace, "--", *PYTHON, "-c", lines], stdin=subprocess.PIPE
        )
        started.append(process)
        until(lambda: pid_file.exists() and pid_file.read_text())
        try:
            child = psutil.Process(int(pid_file.read_text()))
        except psutil.NoSuchProcess:  # it had little to do
            return process, None
        started.append(child)
        return process, child

    yield start
    for process in started:
        try:
            process.kill()
            process.wait(20)
        except psutil.NoSuchProcess:
            pass
        if isinstance(process, subprocess.Popen):
            process.stdin.close()


def _gone(child):
    try:
        return child.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_child_ends_when_the_pipe_of_its_parent_closes(guarded):
    process, child = guarded("time.sleep(60)")
    process.stdin.close()
    assert process.wait(20) == 128 + signal.SIGTERM
    assert _gone(child)


def test_a_child_that_ignores_being_asked_is_killed_after_its_grace(guarded):
    process, child = guarded(
        "time.sleep(60)", grace="0.2", setup="signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    )
    process.stdin.close()
    assert process.wait(20) == 128 + signal.SIGKILL
    assert _gone(child)


def test_a_child_has_its_grace_to_end_in_order(guarded, tmp_path):
    setup = f"""
def leave(*_):
    open({str(tmp_path / "left")!r}, 'w').write('in order')
    raise SystemExit(7)
signal.signal(signal.SIGTERM, leave)
"""
    process, _ = guarded("time.sleep(60)", grace="5", setup=setup)
    process.stdin.close()
    assert process.wait(20) == 7
    assert (tmp_path / "left").read_text() == "in order"


def test_the_childs_exit_code_is_handed_on(guarded):
    process, _ = guarded("raise SystemExit(3)")
    assert process.wait(20) == 3


def test_what_the_child_has_started_ends_with_it(guarded, tmp_path):
    code = f"""
import subprocess, sys
other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
open({str(tmp_path / "other")!r}, 'w').write(str(other.pid))
time.sleep(60)
"""
    process, _ = guarded(code)
    until(lambda: (tmp_path / "other").exists() and (tmp_path / "other").read_text())
    other = psutil.Process(int((tmp_path / "other").read_text()))
    process.stdin.close()
    process.wait(20)
    until(lambda: _gone(other))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_the_child_dies_even_with_a_guard_that_is_killed(guarded):
    process, child = guarded("time.sleep(60)")
    process.kill()
    until(lambda: _gone(child))


def test_ctrl_c_in_the_servers_terminal_leaves_the_child_to_the_server(guarded):
    process, child = guarded("time.sleep(60)")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    assert not _gone(child)


def test_a_program_that_does_not_exist_is_named(tmp_path, capfd):
    process = subprocess.run(
        [*PYTHON, guard.__file__, "1", "--", str(tmp_path / "nothing")], timeout=10, check=False
    )
    assert process.returncode == 127
    assert "nothing does not start: No such file or directory" in capfd.readouterr().err
