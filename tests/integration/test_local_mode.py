"""Local mode as a user has it: nothing is set, a task is submitted, an image comes. Real processes all."""

import os
import signal

import msgspec
import psutil
import pytest
from tests.fakes import until
from tests.server.programs import alive, environment

from gpugen_client import runtime
from gpugen_client.access import connect
from gpugen_client.tasks import Tasks
from gpugen_protocol import places
from gpugen_protocol.request import TaskRequest

pytestmark = pytest.mark.chaos


@pytest.fixture
def environ(tmp_path):
    """An environment like a fresh user's, and no model needed; whatever runs in it is ended afterwards."""
    made = environment(tmp_path / "data", GPUGEN_GENERATOR="fake")
    yield made
    path = places.runtime_file(tmp_path / "data")
    if path.exists() and runtime.process_lives(pid := _pid(made)):
        family = _family(pid)
        os.kill(pid, signal.SIGTERM)
        psutil.wait_procs(family, timeout=20)
        assert not alive(family)


def _pid(environ):
    return msgspec.json.decode(places.runtime_file(places.data_dir(environ)).read_bytes())["pid"]


def _family(pid):
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def _tasks(environ):
    return Tasks(connect(environ=environ))


def _submit(tasks, **request):
    return tasks.submit(TaskRequest(prompt="a cat", **request)).id


def _until_state(tasks, task, state):
    until(lambda: tasks.get(task).state == state or tasks.get(task).finished, 120)
    assert tasks.get(task).state == state, tasks.get(task).error


def _worker_pid(environ):
    """The worker's, not that of the guard which started it with the same words."""
    found = [
        p.pid
        for p in _family(_pid(environ))
        if "gpugen_worker" in (words := _words(p)) and "guard.py" not in words[3]
    ]
    return found[0] if found else None


def _words(process):
    """Its command line; none if it ends just now."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_prompt_becomes_an_image_and_says_meanwhile_what_happens(environ):
    tasks = _tasks(environ)
    task = _submit(tasks, n=2)
    _until_state(tasks, task, "succeeded")
    assert tasks.image(task, 1).startswith(b"\x89PNG")
    phases = [event.phase for event in tasks.events(task).events if hasattr(event, "phase")]
    assert phases[:2] == ["queued", "starting"]
    assert "drawing" in phases
    assert len(tasks.workers().workers) == 1


def test_when_the_server_is_killed_all_of_it_goes_and_the_next_one_does_what_was_left(environ):
    slow = {**environ, "GPUGEN_FAKE_STEP_SECONDS": "0.5"}
    tasks = _tasks(slow)
    running, waiting = _submit(tasks), _submit(tasks)
    _until_state(tasks, running, "running")
    family = _family(_pid(environ))
    assert len(family) == 5  # the server, and worker and valkey with their guards
    os.kill(_pid(environ), signal.SIGKILL)
    until(lambda: not alive(family), 20)

    tasks = _tasks(environ)
    for task in (running, waiting):
        _until_state(tasks, task, "succeeded")
    assert tasks.get(running).attempt == 2


def test_when_the_worker_is_killed_another_one_does_its_task(environ):
    tasks = _tasks({**environ, "GPUGEN_FAKE_STEP_SECONDS": "0.1"})
    task = _submit(tasks)
    _until_state(tasks, task, "running")
    os.kill(_worker_pid(environ), signal.SIGKILL)
    _until_state(tasks, task, "succeeded")
    assert tasks.get(task).attempt == 2


def test_a_worker_that_cannot_start_says_why_in_the_task(environ, tmp_path):
    (tmp_path / "gpugen.toml").write_text("[worker]\nbatch = 'many'\n")
    tasks = _tasks(environ)
    task = _submit(tasks)
    until(lambda: "trying again" in tasks.get(task).phase_text, 30)
    assert "batch" in tasks.get(task).phase_text
    assert any("ended with code" in getattr(event, "message", "") for event in tasks.events(task).events)
    assert "batch" in tasks.workers().autoscaler_text
    (tmp_path / "gpugen.toml").write_text("")
    _until_state(tasks, task, "succeeded")


def test_an_idle_worker_leaves_and_the_next_task_brings_a_new_one(environ):
    tasks = _tasks({**environ, "GPUGEN_IDLE_EXIT": "0.5"})
    _until_state(tasks, _submit(tasks), "succeeded")
    until(lambda: _worker_pid(environ) is None, 20)
    _until_state(tasks, _submit(tasks), "succeeded")
    until(lambda: _worker_pid(environ) is None, 20)


def test_told_to_stop_the_server_gives_a_running_task_back_in_time(environ):
    tasks = _tasks({**environ, "GPUGEN_FAKE_STEP_SECONDS": "0.3"})
    task = _submit(tasks)
    _until_state(tasks, task, "running")
    family = _family(_pid(environ))
    os.kill(_pid(environ), signal.SIGTERM)
    psutil.wait_procs(family, timeout=10)
    assert not alive(family)

    tasks = _tasks(environ)
    _until_state(tasks, task, "succeeded")
