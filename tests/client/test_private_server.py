"""Tests of finding and starting the private server: real processes."""

import os
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import msgspec
import psutil
import pytest
from filelock import FileLock, Timeout
from tests.fakes import until
from tests.server.programs import environment

from gpugen_client import address, private_server, runtime
from gpugen_client.access import PrivateConnection, connect
from gpugen_client.connection import Connection
from gpugen_client.private_server import find, find_or_start, stop
from gpugen_client.tasks import Tasks
from gpugen_protocol import __version__, places
from gpugen_protocol.errors import LocalServerFailed, Misconfigured, ServerUnreachable, VersionMismatch
from gpugen_protocol.request import TaskRequest

START = (
    "import os; from gpugen_client.private_server import find_or_start;"
    " print(find_or_start(os.environ).pid, flush=True)"
)


@pytest.fixture
def environ(tmp_path):
    """An environment with a data directory of its own; the server in it is ended afterwards."""
    environ = environment(tmp_path / "data", GPUGEN_GENERATOR="fake")
    yield environ
    _end(environ)


def _path(environ):
    return places.runtime_file(places.data_dir(environ))


def _end(environ):
    path = _path(environ)
    if not path.exists():
        return
    pid = msgspec.json.decode(path.read_bytes())["pid"]
    if runtime.process_lives(pid):
        server = psutil.Process(pid)
        family = [server, *server.children(recursive=True)]
        server.terminate()
        _, left = psutil.wait_procs(family, timeout=20)
        assert not [process for process in left if runtime.process_lives(process.pid)]


def _rewrite(environ, **changes):
    """Let the runtime file say something else."""
    path = _path(environ)
    path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), **changes}))


def test_the_first_caller_starts_it_and_the_next_one_finds_it(environ):
    assert find(environ) is None
    started = find_or_start(environ)
    assert find_or_start(environ) == started == find(environ)
    assert (started.version, started.prefix) == (__version__, sys.prefix)
    assert started.url.startswith("http://127.0.0.1:")
    assert Tasks(Connection(started.url, started.token)).stats().tasks == {}
    assert stat.S_IMODE(_path(environ).stat().st_mode) == 0o600
    assert stat.S_IMODE(_path(environ).parent.stat().st_mode) == 0o700


def test_many_callers_at_once_get_the_same_one(environ):

    def call(_):
        command = [sys.executable, "-c", START]
        return subprocess.run(
            command, env=environ, check=True, capture_output=True, text=True, timeout=120
        ).stdout

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(call, range(4)))) == 1


def test_it_outlives_the_terminal_that_started_it(environ):
    code = f"{START}; os.kill(0, 9)"
    starter = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
        check=False,
    )
    assert starter.returncode == -signal.SIGKILL
    assert find(environ).pid == int(starter.stdout)


def test_a_server_that_was_killed_is_replaced(environ):
    first = find_or_start(environ)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not runtime.process_lives(first.pid))
    assert find(environ) is None
    second = find_or_start(environ)
    assert second.pid != first.pid
    assert second.token != first.token


def test_the_next_server_listens_where_the_last_one_did(environ):
    told = address.reserve(places.data_dir(environ))
    first = find_or_start(environ)
    token_file = places.token_file(places.data_dir(environ))
    assert first.url == told
    assert token_file.read_text() == first.token
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not runtime.process_lives(first.pid))
    assert find_or_start(environ).url == told
    script = Connection(told, token_file.read_text())  # one that knows an address and a token, no more
    assert Tasks(script).stats().tasks == {}


def test_a_port_that_a_stranger_took_is_replaced_and_the_old_address_still_leads_there(environ):
    told = address.reserve(places.data_dir(environ))
    with socket.create_server(("127.0.0.1", urlsplit(told).port)):
        started = find_or_start(environ)
        assert started.url != told
        found = connect(environ={**environ, "GPUGEN_URL": told})
    assert (found.url, found.token) == (started.url, started.token)
    assert address.reserve(places.data_dir(environ)) == started.url


def test_a_process_that_got_the_old_servers_number_is_not_taken_for_it(environ):
    first = find_or_start(environ)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not runtime.process_lives(first.pid))
    _rewrite(environ, pid=os.getpid())
    assert find(environ) is None
    assert find_or_start(environ).pid not in {first.pid, os.getpid()}


def test_a_runtime_file_that_is_no_such_thing_is_ignored(environ):
    path = _path(environ)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert find(environ) is None
    assert find_or_start(environ) == find(environ)


def test_an_idle_server_of_another_version_is_replaced(environ, monkeypatch):
    first = find_or_start(environ)
    monkeypatch.setattr(private_server.runtime, "is_ours", lambda known: known.pid != first.pid)
    with pytest.raises(VersionMismatch):
        find(environ)
    second = find_or_start(environ)
    assert second.pid != first.pid
    assert not runtime.process_lives(first.pid)


def test_a_busy_server_of_another_version_is_named_and_left_alone(environ, monkeypatch):
    first = find_or_start({**environ, "GPUGEN_FAKE_STEP_SECONDS": "30"})
    task = Tasks(Connection(first.url, first.token)).submit(TaskRequest(prompt="a cat"))
    monkeypatch.setattr(private_server.runtime, "is_ours", lambda known: False)
    with pytest.raises(VersionMismatch) as refused:
        find_or_start(environ)
    assert f"process {first.pid}" in str(refused.value)
    assert f"kill {first.pid}" in str(refused.value)
    assert not Tasks(Connection(first.url, first.token)).get(task.id).finished


def test_why_it_did_not_start_is_said_in_the_servers_own_words(environ):
    with pytest.raises(LocalServerFailed) as failed:
        find_or_start({**environ, "GPUGEN_DATABASE_URL": "mysql://somewhere"})
    assert "no database that gpugen knows" in failed.value.message
    assert "server.log" in failed.value.hint
    assert not _path(environ).exists()


def test_a_data_directory_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="GPUGEN_DATA_DIR"):
        find_or_start(environment(tmp_path / "file"))


def test_a_proxy_does_not_matter_on_this_machine(environ, monkeypatch):
    proxies = {
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "NO_PROXY": "",
        "no_proxy": "",
    }
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    tasks = Tasks(PrivateConnection({**environ, **proxies}, start=True))
    task = tasks.submit(TaskRequest(prompt="a cat"))
    until(lambda: tasks.get(task.id).finished, 120)
    assert tasks.get(task.id).state == "succeeded"


def test_a_connection_goes_on_with_the_next_server_when_the_old_one_has_ended(environ):
    connection = PrivateConnection(environ, start=True)
    task = Tasks(connection).submit(TaskRequest(prompt="a cat"))
    until(lambda: Tasks(connection).get(task.id).finished, 120)
    url, token = connection.url, connection.token
    _end(environ)
    assert Tasks(connection).get(task.id).state == "succeeded"
    assert (connection.url, connection.token) != (url, token)


def test_a_connection_that_only_looks_says_so_when_the_server_has_ended(environ):
    find_or_start(environ)
    connection = PrivateConnection(environ, start=False)
    _end(environ)
    with pytest.raises(ServerUnreachable, match="No gpugen server is running"):
        Tasks(connection).stats()


def test_it_ends_when_nobody_has_used_it_for_a_while_and_leaves_no_process(environ):
    started = find_or_start({**environ, "GPUGEN_SERVER_IDLE_EXIT": "1"})
    family = [psutil.Process(started.pid), *psutil.Process(started.pid).children(recursive=True)]
    _, left = psutil.wait_procs(family, timeout=15)
    assert not [process for process in left if runtime.process_lives(process.pid)]
    assert not _path(environ).exists()


def test_a_server_that_hangs_is_named_rather_than_replaced(environ, monkeypatch):
    started = find_or_start(environ)
    monkeypatch.setattr(runtime, "ANSWER_SECONDS", 0.3)
    os.kill(started.pid, signal.SIGSTOP)
    try:
        with pytest.raises(LocalServerFailed, match=rf"process {started.pid}\) does not answer"):
            find_or_start(environ)
    finally:
        os.kill(started.pid, signal.SIGCONT)
    assert find_or_start(environ) == started


def test_the_lock_of_a_starter_is_free_when_it_has_started(tmp_path):
    held = private_server._starting(tmp_path)
    with held, pytest.raises(Timeout):
        FileLock(tmp_path / "start.lock", timeout=0).acquire()
    FileLock(tmp_path / "start.lock", timeout=0).acquire().lock.release()


def test_a_log_that_cannot_be_written_is_one_sentence(environ):
    (places.data_dir(environ) / "logs" / "server.log").mkdir(parents=True)
    with pytest.raises(LocalServerFailed, match=r"server\.log"):
        find_or_start(environ)


def test_it_is_stopped_with_its_worker_and_the_task_goes_on_with_the_next_one(environ):
    first = find_or_start({**environ, "GPUGEN_FAKE_STEP_SECONDS": "30"})
    tasks = Tasks(Connection(first.url, first.token))
    task = tasks.submit(TaskRequest(prompt="a cat")).id
    until(lambda: tasks.get(task).state == "running", 120)
    worker = psutil.Process(first.pid).children(recursive=True)
    assert stop(environ) == first
    assert not runtime.process_lives(first.pid)
    psutil.wait_procs(worker, timeout=20)
    assert not [process for process in worker if runtime.process_lives(process.pid)]
    tasks = Tasks(PrivateConnection(environ, start=True))
    until(lambda: tasks.get(task).finished, 120)
    assert tasks.get(task).state == "succeeded"


def test_stopping_where_none_runs_starts_and_makes_nothing(environ):
    assert stop(environ) is None
    assert not places.data_dir(environ).exists()


def test_one_of_another_version_is_stopped_too(environ, monkeypatch):
    first = find_or_start(environ)
    monkeypatch.setattr(private_server.runtime, "is_ours", lambda known: False)
    assert stop(environ) == first
    assert not runtime.process_lives(first.pid)


def test_one_that_does_not_end_is_named(environ, monkeypatch):
    started = find_or_start(environ)
    monkeypatch.setattr(private_server, "END_SECONDS", 0.3)
    look = runtime.look

    def look_and_hang(path):
        known = look(path)
        os.kill(started.pid, signal.SIGSTOP)
        return known

    monkeypatch.setattr(private_server.runtime, "look", look_and_hang)
    try:
        with pytest.raises(LocalServerFailed, match=rf"process {started.pid}\) does not end"):
            stop(environ)
    finally:
        os.kill(started.pid, signal.SIGCONT)
    until(lambda: not runtime.process_lives(started.pid))  # it was asked to
