"""Tests of `gpugen doctor`: what it says of whole installations, healthy and not."""

import json
import socket
import threading
import time

import psutil
import pytest
from tests.server.programs import ServerProcess, environment

from gpugen.checkup import drawing, service
from gpugen.cli.doctor import doctor


@pytest.fixture
def examine(monkeypatch, capsys):
    """Run `gpugen doctor --json` in an environment; gives the findings by part, and whether all is well."""

    def examine(environ):
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            code = doctor.main(["--json"], standalone_mode=False)
        document = json.loads(capsys.readouterr().out)
        assert code == (0 if document["ok"] else 1)
        return {finding["part"]: finding for finding in document["findings"]}

    return examine


@pytest.fixture
def quick(monkeypatch):
    """Torch is not the subject: what its probe would print."""
    seen = {
        "torch": "2",
        "diffusers": "0",
        "device": "CPU",
        "memory": 0,
        "threads": 2,
        "built_for_cuda": None,
    }
    monkeypatch.setattr(drawing, "_PROBE", f"print({json.dumps(seen)!r})")


@pytest.fixture
def environ(tmp_path, monkeypatch):
    for name in ("GPUGEN_URL", "GPUGEN_TOKEN", "GPUGEN_TOKEN_FILE", "GPUGEN_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    full = environment(tmp_path / "data")
    return {name: value for name, value in full.items() if name.startswith("GPUGEN_")}


def test_on_a_fresh_machine_it_finds_every_part_and_starts_nothing(examine, environ, tmp_path):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    findings = examine(environ)
    assert list(findings) == [
        "python",
        "packages",
        "data directory",
        "settings",
        "database",
        "redis",
        "server",
        "token",
        "workers",
        "device",
        "bundled model",
        "jupyter",
    ]
    assert findings["server"]["text"] == "none runs; the first task starts your private one"
    assert "torch" in findings["device"]["text"]
    assert "Valkey" in findings["redis"]["text"]
    assert all(finding["hint"] for finding in findings.values() if finding["state"] != "ok")
    assert not (tmp_path / "data").exists()
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


@pytest.mark.usefixtures("quick")
def test_of_a_server_elsewhere_it_says_version_token_and_workers(examine, environ, tmp_path):
    with ServerProcess(tmp_path) as server:
        wrong = examine({**environ, "GPUGEN_URL": server.url, "GPUGEN_TOKEN": "nonsense"})
    assert wrong["server"]["state"] == "ok"
    assert "version" in wrong["server"]["text"]
    assert wrong["token"]["state"] == "fail"
    assert "GPUGEN_TOKEN" in wrong["token"]["hint"]
    assert wrong["workers"]["state"] == "warn"


@pytest.mark.usefixtures("quick")
def test_a_server_that_is_not_there_is_told_once(examine, environ):
    findings = examine({**environ, "GPUGEN_URL": "http://127.0.0.1:9", "GPUGEN_TOKEN": "t"})
    assert findings["server"]["state"] == "fail"
    assert "refused" in findings["server"]["text"]
    assert [findings[part]["state"] for part in ("token", "workers")] == ["warn", "warn"]


@pytest.mark.usefixtures("quick")
def test_a_server_that_never_answers_does_not_make_it_hang(examine, environ, monkeypatch):
    monkeypatch.setattr(service, "PATIENCE", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Thread(target=_accept, args=(silent,), daemon=True).start()
        since = time.monotonic()
        findings = examine(
            {**environ, "GPUGEN_URL": f"http://127.0.0.1:{silent.getsockname()[1]}", "GPUGEN_TOKEN": "t"}
        )
    assert findings["server"]["state"] == "fail"
    assert "in time" in findings["server"]["text"]
    assert time.monotonic() - since < 10


def _accept(silent):
    held = []
    try:
        while True:
            held.append(silent.accept()[0])
    except OSError:
        for connection in held:
            connection.close()


@pytest.mark.usefixtures("quick")
def test_settings_that_cannot_be_read_are_named(examine, environ, tmp_path):
    (tmp_path / "gpugen.toml").write_text("[models.x]\nfamily = 'none'\n")
    findings = examine(environ)
    assert findings["settings"]["state"] == "fail"
    assert "'x'" in findings["settings"]["text"]
    assert "gpugen.toml" in findings["settings"]["hint"]


@pytest.mark.usefixtures("quick")
def test_a_url_without_a_token_is_one_finding_and_no_traceback(examine, environ):
    findings = examine({**environ, "GPUGEN_URL": "http://127.0.0.1:9"})
    assert findings["server"]["state"] == "fail"
    assert "There is no token" in findings["server"]["text"]


@pytest.mark.usefixtures("quick")
def test_the_table_names_what_to_do_under_each_trouble(environ, monkeypatch, capsys):
    for name, value in {**environ, "GPUGEN_URL": "http://127.0.0.1:9", "GPUGEN_TOKEN": "t"}.items():
        monkeypatch.setenv(name, value)
    assert doctor.main([], standalone_mode=False) == 1
    lines = capsys.readouterr().out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("fail  server"))
    assert lines[place + 1].strip() == "-> Start it, or correct GPUGEN_URL."
