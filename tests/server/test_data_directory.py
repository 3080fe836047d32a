"""Tests of the server's folder."""

import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

from gpugen_protocol.errors import Misconfigured
from gpugen_server import data_directory
from gpugen_server.settings import read


@pytest.fixture
def settings(tmp_path):
    return read({}, {"GPUGEN_DATA_DIR": str(tmp_path / "data")})


def test_it_is_made_for_its_owner_alone(settings):
    data_directory.prepare(settings)
    assert stat.S_IMODE(settings.data.stat().st_mode) == 0o700
    assert settings.logs.is_dir()
    assert sorted(path.name for path in settings.data.iterdir()) == ["logs"]


def test_a_file_in_its_place_is_one_sentence(settings):
    settings.data.write_text("")
    with pytest.raises(Misconfigured, match="cannot be written to: File exists"):
        data_directory.prepare(settings)


def test_a_full_disk_is_one_sentence(settings, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data_directory.Path, "write_bytes", full)
    with pytest.raises(Misconfigured, match="No space left on device"):
        data_directory.prepare(settings)


def test_a_network_file_system_is_refused(settings, monkeypatch):
    mounts = [
        SimpleNamespace(mountpoint="/", fstype="ext4"),
        SimpleNamespace(mountpoint="/tmp", fstype="nfs4"),
    ]
    mounts.append(SimpleNamespace(mountpoint=str(settings.data.parent), fstype="nfs4"))
    monkeypatch.setattr(data_directory.psutil, "disk_partitions", lambda all: mounts)
    with pytest.raises(Misconfigured, match=r"network file system \(nfs4\).*GPUGEN_DATA_DIR"):
        data_directory.prepare(settings)


def test_a_second_server_is_refused_and_the_lock_goes_with_the_first(settings):
    data_directory.prepare(settings)
    code = (
        "import sys, time\n"
        "from gpugen_server import data_directory, settings\n"
        f"with data_directory.held(settings.read({{}}, {{'GPUGEN_DATA_DIR': {settings.data_dir!r}}})):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(Misconfigured, match="Another gpugen server uses"), data_directory.held(settings):
            pass
        first.kill()
        first.wait(20)
        with data_directory.held(settings):
            pass


def test_two_may_prepare_it_at_once(settings, monkeypatch):
    unlink = data_directory.Path.unlink
    monkeypatch.setattr(
        data_directory.Path, "unlink", lambda path, **kw: (unlink(path, **kw), unlink(path, **kw))
    )
    data_directory.prepare(settings)
