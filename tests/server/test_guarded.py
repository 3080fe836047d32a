"""Tests of children that cannot outlive the server."""

import asyncio
import os
import signal
import subprocess
import sys

import psutil
from tests.fakes import until

from gpugen_server.guarded import Guarded

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; print('up', flush=True); time.sleep(60)"]


def test_its_output_is_appended_to_the_log(tmp_path):
    async def scenario():
        log = tmp_path / "log"
        log.write_text("before\n")
        child = await Guarded.start([sys.executable, "-c", "print('after')"], output=log)
        assert await child.wait() == 0
        assert not child.running
        return log.read_text()

    assert asyncio.run(scenario()) == "before\nafter\n"


def test_stopping_ends_it_and_gives_its_code(tmp_path):
    async def scenario():
        child = await Guarded.start(SLEEP, output=tmp_path / "log")
        await asyncio.to_thread(until, lambda: "up" in (tmp_path / "log").read_text())
        assert child.running
        return await child.stop()

    assert asyncio.run(scenario()) == 128 + signal.SIGTERM


def test_it_dies_with_a_parent_that_is_killed_with_its_whole_group(tmp_path):
    code = f"""
import asyncio
from pathlib import Path
from gpugen_server.guarded import Guarded
async def main():
    child = await Guarded.start({SLEEP!r}, output=Path({str(tmp_path / "log")!r}), grace=0.2)
    print(child._process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    guard = psutil.Process(int(parent.stdout.readline()))
    until(lambda: guard.children() and "up" in (tmp_path / "log").read_text())
    child = guard.children()[0]
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait(20)
    parent.stdout.close()
    psutil.wait_procs([guard, child], timeout=20)
    assert not any(
        process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in (guard, child)
    )
