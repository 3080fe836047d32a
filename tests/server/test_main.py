"""Tests of `python -m gpugen_server` as a process."""

import contextlib
import json
import signal
import socket
import stat
import subprocess
import sys

import psutil
import psycopg
import pytest
import requests
from tests.fakes import until
from tests.server.programs import SERVER, ServerProcess, alive, environment


def _refused(tmp_path, *arguments, **environ):
    """Run a server that cannot start; gives what it printed."""
    done = subprocess.run(
        [*SERVER, *arguments],
        env=environment(tmp_path / "data", **environ),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_ends_cleanly_when_told(tmp_path, number):
    with ServerProcess(tmp_path) as server:
        ready = json.loads(server.ready_file.read_bytes())
        assert ready == {"url": server.url, "pid": server.process.pid}
        assert stat.S_IMODE(server.ready_file.stat().st_mode) == 0o600
        assert requests.get(f"{server.url}/healthz", timeout=5).json()["state"] == "ok"
        assert requests.get(f"{server.url}/readyz", timeout=5).json()["state"] == "ok"
        offspring = server.offspring()
        assert offspring
        server.process.send_signal(number)
        assert server.process.wait(20) == 0
        assert not alive(offspring)
    assert not server.ready_file.exists()
    assert sorted(path.name for path in server.data.iterdir()) == [
        "gpugen.db",
        "images",
        "logs",
        "server.lock",
    ]
    assert "Traceback" not in server.output()


def test_its_redis_ends_with_it_even_when_it_is_killed(tmp_path):
    with ServerProcess(tmp_path) as server:
        offspring = server.offspring()
        assert len(offspring) == 2
        server.process.kill()
        server.process.wait(20)
        until(lambda: not alive(offspring), 20)


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = _refused(tmp_path, "--port", str(port), GPUGEN_LOG_FORMAT="text")
    wrong, todo = (
        f"Something else listens on 127.0.0.1:{port} already.",
        "Choose another --port; 0 takes a free one.",
    )
    assert said.splitlines()[-1] == f"Error: {wrong} {todo}"
    assert not list((tmp_path / "data").glob("*.sock"))


def test_a_data_directory_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "data").write_text("")
    assert "cannot be written to: File exists. Name another one in GPUGEN_DATA_DIR." in _refused(tmp_path)


def test_a_second_server_on_the_same_data_directory_is_refused(tmp_path):
    with ServerProcess(tmp_path):
        assert "Another gpugen server uses the data directory" in _refused(tmp_path, "--port", "0")


def test_a_host_that_is_not_ours_is_one_sentence(tmp_path):
    said = _refused(tmp_path, "--host", "203.0.113.7")
    assert "nobody has a token" in said  # it is asked first whether strangers may come at all
    _make_token(tmp_path)
    assert "203.0.113.7 is not an address of this machine" in _refused(tmp_path, "--host", "203.0.113.7")


def test_without_any_token_it_does_not_open_itself_to_other_machines(tmp_path):
    assert "gpugen token create --scope user" in _refused(tmp_path, "--host", "0.0.0.0", "--port", "0")
    _make_token(tmp_path)
    with ServerProcess(tmp_path, "--host", "0.0.0.0") as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert requests.get(f"{server.url}/healthz", timeout=5).ok


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prt", "1"], "No such option"),
        (["--port", "many"], "not a valid integer"),
        (["--autoscaler", "gce"], "needs a GPUGEN_PUBLIC_URL"),
        (["--database-url", "mysql://h/db"], "no database that gpugen knows"),
        (["--ready-file", "/dev/null/ready"], "cannot be written"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(tmp_path, arguments, words):
    assert words in _refused(tmp_path, "--port", "0", *arguments)


def test_a_registry_that_cannot_be_read_names_its_file(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models.toml").write_text("[models.x")
    assert "models.toml is not valid TOML" in _refused(tmp_path, "--port", "0")


def test_a_package_that_is_missing_is_named_with_the_install_that_brings_it(tmp_path):
    code = (
        "import sys; sys.modules['tornado'] = None; from gpugen_server.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment(tmp_path / "data"),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "Error: The server needs tornado, which is not installed. Run: pip install 'gpugen[server]'\n"
    )


def test_what_it_prints_to_a_file_is_one_json_object_a_line(tmp_path):
    with ServerProcess(tmp_path) as server:
        requests.get(f"{server.url}/api/v1/tasks?limit=1", headers={"Authorization": "Bearer x"}, timeout=5)
        server.process.terminate()
        server.process.wait(10)
        lines = [json.loads(line) for line in server.output().splitlines()]
    assert {"serving", "stopping"} <= {line["event"] for line in lines}


def test_it_ends_in_time_although_a_request_still_waits(tmp_path):
    with ServerProcess(tmp_path, GPUGEN_LOG_FORMAT="text") as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as half:
            half.sendall(b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            server.process.terminate()
            assert server.process.wait(10) == 0


def test_it_ends_in_time_although_its_database_stands_still(tmp_path, postgres_url):
    with ServerProcess(tmp_path, GPUGEN_DATABASE_URL=postgres_url) as server, _paused(postgres_url):
        server.process.terminate()
        assert server.process.wait(10) == 0
    assert "Traceback" not in server.output()


def test_an_empty_postgresql_is_refused_with_the_command_that_makes_its_tables(tmp_path, postgres):
    try:
        said = _refused(tmp_path, "--port", "0", GPUGEN_DATABASE_URL=postgres.make("bare"))
    finally:
        postgres.drop("bare")
    assert "is empty" in said
    assert "gpugen db upgrade" in said


@contextlib.contextmanager
def _paused(url):
    """Meanwhile PostgreSQL's processes that serve this database do nothing."""
    with psycopg.connect(url) as connection:
        backends = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    assert backends
    processes = [psutil.Process(pid) for (pid,) in backends]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def _make_token(tmp_path):
    code = "from gpugen_server.commands import token; token(['create', '--scope', 'user'])"
    subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path / "data"), check=True, capture_output=True
    )
