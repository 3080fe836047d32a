"""Tests of workers as processes of this machine."""

import asyncio
import sys

import psutil
import pytest
from tests.fakes import until

from gpugen_server.autoscale import local
from gpugen_server.autoscale.local import LocalProvider, last_words
from gpugen_server.settings import read


@pytest.fixture
def settings(tmp_path):
    made = read({"idle_exit": "90"}, {"GPUGEN_DATA_DIR": str(tmp_path)})
    made.logs.mkdir()
    return made


def _provider(settings, code, **environ):
    """A provider whose worker is a line of Python."""
    made = LocalProvider(
        settings,
        url="http://127.0.0.1:1",
        token_file=settings.data / "token",
        environ={"PATH": "", **environ},
    )
    made._command = lambda: [sys.executable, "-I", "-S", "-c", code]
    return made


def _one_life(provider):
    async def scenario():
        ended = asyncio.get_running_loop().create_future()
        await provider.start(ended.set_result)
        assert provider.running == 1
        async with asyncio.timeout(10):
            found = await ended
        assert provider.running == 0
        return found

    return asyncio.run(scenario())


def test_a_worker_that_ends_is_told_with_its_code_and_last_words(settings):
    ended = _one_life(_provider(settings, "print('first'); print('last'); print(); raise SystemExit(3)"))
    assert (ended.code, ended.last_words) == (3, "last")
    assert ended.lived < 10


def test_the_words_of_the_worker_before_are_not_taken_for_its_own(settings):
    (settings.logs / "worker.log").write_text("somebody else\n")
    assert _one_life(_provider(settings, "")).last_words == "it said nothing"
    assert (settings.logs / "worker.log").read_text() == "somebody else\n"


def test_a_long_log_is_put_aside_at_the_next_start(settings):
    (settings.logs / "worker.log").write_text("x" * (local.MAX_LOG + 1))
    assert _one_life(_provider(settings, "print('new')")).last_words == "new"
    assert (settings.logs / "worker.log").read_text() == "new\n"
    assert (settings.logs / "worker.log.1").stat().st_size == local.MAX_LOG + 1


def test_stopping_ends_its_processes(settings):
    async def scenario():
        others = set(psutil.Process().children(recursive=True))
        provider = _provider(settings, "import time; print('up', flush=True); time.sleep(60)")
        await provider.start(lambda ended: None)
        log = settings.logs / "worker.log"
        await asyncio.to_thread(until, lambda: "up" in log.read_text())
        family = set(psutil.Process().children(recursive=True)) - others
        assert len(family) == 2
        await provider.stop()
        return psutil.wait_procs(family, timeout=20)[1]

    assert asyncio.run(scenario()) == []


def test_the_worker_gets_no_secret_of_the_server_and_its_own_places(settings):
    provider = LocalProvider(
        settings,
        url="http://127.0.0.1:1",
        token_file=settings.data / "token",
        environ={"GPUGEN_TOKEN": "secret", "GPUGEN_URL": "http://x", "GPUGEN_IDLE_EXIT": "1", "HOME": "/h"},
    )
    assert provider._worker_environ() == {
        "HOME": "/h",
        "GPUGEN_GRACE": "2",
        "GPUGEN_DATA_DIR": str(settings.data),
    }
    command = provider._command()
    assert command[1:6] == ["-P", "-m", "gpugen_worker", "--url", "http://127.0.0.1:1"]
    assert command[6:] == ["--token-file", str(settings.data / "token"), "--idle-exit", "90"]


def test_missing_libraries_are_an_obstacle_that_names_the_install(settings, monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda name: None if name in {"torch", "diffusers"} else object())
    obstacle = _provider(settings, "").obstacle()
    assert obstacle.code == "missing_extra"
    assert "torch and diffusers" in obstacle.message
    assert obstacle.hint == "pip install 'gpugen[worker]'"
    assert _provider(settings, "", GPUGEN_GENERATOR="fake").obstacle() is None


def test_what_is_installed_is_no_obstacle(settings):
    assert _provider(settings, "").obstacle() is None


def test_a_log_that_is_not_there_has_no_words(tmp_path):
    assert last_words(tmp_path / "nothing", 0) == "its log cannot be read"
