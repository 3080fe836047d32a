"""Tests of single looks at a machine."""

import json
from types import SimpleNamespace

import pytest

from gpugen.checkup import drawing, jupyter, machine, service


def test_a_network_file_system_is_named(tmp_path, monkeypatch):
    mounts = [SimpleNamespace(mountpoint=str(tmp_path), fstype="nfs4")]
    monkeypatch.setattr(machine.psutil, "disk_partitions", lambda all: mounts)
    found = machine.data_directory({"GPUGEN_DATA_DIR": str(tmp_path / "data")})
    assert found.state == "fail"
    assert "nfs4" in found.text


def test_a_file_where_the_data_directory_should_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    assert machine.data_directory({"GPUGEN_DATA_DIR": str(tmp_path / "file")}).state == "fail"


@pytest.mark.parametrize(("free", "state"), [(10**6, "fail"), (10**8, "warn"), (10**11, "ok")])
def test_a_disk_that_fills_up_is_told_before_it_is_full(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert machine.data_directory({"GPUGEN_DATA_DIR": str(tmp_path)}).state == state


def test_a_missing_extra_fails_only_where_it_is_needed(tmp_path, monkeypatch):
    environ = {"GPUGEN_CONFIG": str(tmp_path / "none.toml")}
    monkeypatch.setattr(machine, "_version", lambda package: "" if package == "torch" else "1")
    alone = machine.packages(environ)
    assert (alone.state, alone.hint.partition(" to ")[0]) == ("fail", "pip install 'gpugen[worker]'")
    assert machine.packages({**environ, "GPUGEN_URL": "http://x"}).state == "warn"


def test_without_torch_the_install_is_named_and_nothing_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "find_spec", lambda name: None)
    found = drawing.device({"GPUGEN_CONFIG": str(tmp_path / "none.toml")})
    assert (found.state, found.hint) == ("fail", "pip install 'gpugen[worker]'")


def test_a_torch_that_breaks_or_hangs_does_not_take_the_doctor_with_it(tmp_path, monkeypatch):
    environ = {"GPUGEN_CONFIG": str(tmp_path / "none.toml")}
    monkeypatch.setattr(
        drawing, "_PROBE", "import os, sys; print('libcudart missing', file=sys.stderr); os.abort()"
    )
    assert "libcudart missing" in drawing.device(environ).text
    monkeypatch.setattr(drawing, "_PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(drawing, "PATIENCE", 0.3)
    assert "not imported within" in drawing.device(environ).text


def test_a_gpu_that_torch_does_not_see_is_a_warning():
    seen = {
        "torch": "2",
        "diffusers": "0",
        "device": "CPU",
        "memory": 0,
        "threads": 2,
        "built_for_cuda": "13",
    }
    assert drawing._device(seen).state == "warn"
    assert drawing._device({**seen, "built_for_cuda": None}).state == "ok"
    assert "24 GB" in drawing._device({**seen, "device": "RTX", "memory": 24 * 10**9}).text


def test_a_redis_that_does_not_answer_is_named_without_its_password(tmp_path):
    environ = {"GPUGEN_REDIS_URL": "redis://:secret@127.0.0.1:9/0", "GPUGEN_CONFIG": str(tmp_path / "n.toml")}
    found = service.redis(environ)
    assert found.state == "fail"
    assert "secret" not in found.text


def test_a_platform_without_embedded_redis_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "find_spec", lambda name: None)
    found = service.redis({"GPUGEN_CONFIG": str(tmp_path / "none.toml")})
    assert found.state == "fail"
    assert "GPUGEN_REDIS_URL" in found.hint


@pytest.mark.parametrize(("enabled", "expected"), [(True, True), (False, False), (None, None)])
def test_the_first_jupyter_config_that_knows_the_extension_decides(tmp_path, enabled, expected):
    for name, value in (("user", enabled), ("system", None if enabled is None else not enabled)):
        folder = tmp_path / name / "jupyter_server_config.d"
        folder.mkdir(parents=True)
        if value is not None:
            switch = {"ServerApp": {"jpserver_extensions": {"gpugen_jupyter": value}}}
            (folder / "gpugen.json").write_text(json.dumps(switch))
    assert jupyter._switch([tmp_path / "user", tmp_path / "system"]) is expected
