"""Tests of workers as processes of this machine."""

import asyncio
import sys

import psutil
import pytest
from tests.fakes import until

from gpugen_server.autoscale import local
from gpugen_server.autoscale.local import LocalProvider, last_words
from gpugen_server.autoscale.machine import Machine
from gpugen_server.autoscale.provider import StartRefused
from gpugen_server.settings import read


@pytest.fixture
def settings(tmp_path):
    made = read({"idle_exit": "90"}, {"GPUGEN_DATA_DIR": str(tmp_path)})
    made.logs.mkdir()
    return made


def _provider(settings, code, **environ):
    """A provider whose worker is a line of Python; its end is noted in `provider.ends`."""
    ends = []
    made = LocalProvider(
        settings,
        url="http://127.0.0.1:1",
        environ={"PATH": "", **environ},
        on_end=lambda: ends.append(1),
    )
    made._command = lambda name: [sys.executable, "-I", "-S", "-c", code]
    made.ends = ends
    return made


def _machine(name="gpugen-a"):
    return Machine(id="a", name=name, asked_at=1.0)


def _observe(provider, *machines):
    return asyncio.run(provider.observe(machines))


def _one_life(provider):
    """What is seen of a worker when it has ended."""

    async def scenario():
        await provider.start(_machine(), "token")
        assert (await provider.observe([_machine()]))["gpugen-a"].state == "starting"
        await asyncio.to_thread(until, lambda: provider.ends)
        return (await provider.observe([_machine()]))["gpugen-a"]

    return asyncio.run(scenario())


def test_a_worker_that_ends_at_once_is_told_with_its_code_and_last_words(settings):
    ended = _one_life(_provider(settings, "print('first'); print('last'); print(); raise SystemExit(3)"))
    assert (ended.state, ended.failed) == ("ended", True)
    assert ended.text == "A worker on this machine ended with code 3: last"


def test_one_that_was_idle_for_its_time_has_not_failed(settings):
    assert not _one_life(_provider(settings, "")).failed


def test_one_that_lived_for_long_has_not_failed(settings, monkeypatch):
    monkeypatch.setattr(local, "WELL_LIVED", 0.0)
    assert not _one_life(_provider(settings, "raise SystemExit(1)")).failed


def test_the_words_of_the_worker_before_are_not_taken_for_its_own(settings):
    (settings.logs / "worker.log").write_text("somebody else\n")
    assert _one_life(_provider(settings, "")).text.endswith("it said nothing")
    assert (settings.logs / "worker.log").read_text() == "somebody else\n"


def test_a_long_log_is_put_aside_at_the_next_start(settings):
    (settings.logs / "worker.log").write_text("x" * (local.MAX_LOG + 1))
    assert _one_life(_provider(settings, "print('new')")).text.endswith(": new")
    assert (settings.logs / "worker.log").read_text() == "new\n"
    assert (settings.logs / "worker.log.1").stat().st_size == local.MAX_LOG + 1


def test_the_same_machine_asked_for_twice_is_one_and_ends_when_it_is_let_go(settings):
    async def scenario():
        others = set(psutil.Process().children(recursive=True))
        provider = _provider(settings, "import time; print('up', flush=True); time.sleep(60)")
        await provider.start(_machine(), "token")
        await provider.start(_machine(), "token")
        log = settings.logs / "worker.log"
        await asyncio.to_thread(until, lambda: "up" in log.read_text())
        family = set(psutil.Process().children(recursive=True)) - others
        assert len(family) == 2  # the worker and its guard
        await provider.stop(_machine())
        await asyncio.to_thread(until, lambda: provider.ends)
        await provider.stop(_machine())
        return psutil.wait_procs(family, timeout=20)[1]

    assert asyncio.run(scenario()) == []


def test_its_workers_end_with_it(settings):
    async def scenario():
        others = set(psutil.Process().children(recursive=True))
        provider = _provider(settings, "import time; time.sleep(60)")
        await provider.start(_machine(), "token")
        family = set(psutil.Process().children(recursive=True)) - others
        await provider.close()
        assert (await provider.observe([_machine()]))["gpugen-a"].state == "ended"
        return psutil.wait_procs(family, timeout=20)[1]

    assert asyncio.run(scenario()) == []


def test_what_another_server_started_is_gone_and_what_nobody_started_is_to_be(settings):
    provider = _provider(settings, "")
    wish = Machine(id="b", name="gpugen-b")
    seen = _observe(provider, _machine(), wish)
    assert {name: each.state for name, each in seen.items()} == {"gpugen-a": "ended"}


def test_a_token_is_kept_for_its_worker_alone_and_no_longer_than_it(settings):
    async def scenario():
        provider = _provider(settings, "import time; time.sleep(60)")
        await provider.start(_machine(), "secret")
        (file,) = settings.data.glob("*.token")
        assert (file.read_text(), file.stat().st_mode & 0o777) == ("secret", 0o600)
        await provider.close()

    left = settings.data / "gpugen-x.token"
    left.write_text("of a server that was killed")
    asyncio.run(scenario())
    assert list(settings.data.glob("*.token")) == []


def test_a_worker_that_cannot_be_started_is_refused_with_the_reason(settings):
    settings.logs.rmdir()
    with pytest.raises(StartRefused, match="No such file"):
        asyncio.run(_provider(settings, "").start(_machine(), "token"))


def test_the_worker_gets_no_secret_of_the_server_and_its_own_places(settings):
    provider = LocalProvider(
        settings,
        url="http://127.0.0.1:1",
        environ={"GPUGEN_TOKEN": "secret", "GPUGEN_URL": "http://x", "GPUGEN_IDLE_EXIT": "1", "HOME": "/h"},
        on_end=list,
    )
    assert provider._worker_environ() == {
        "HOME": "/h",
        "GPUGEN_GRACE": "2",
        "GPUGEN_DATA_DIR": str(settings.data),
    }
    command = provider._command("gpugen-a")
    assert command[1:6] == ["-P", "-m", "gpugen_worker", "--url", "http://127.0.0.1:1"]
    assert command[6:] == ["--token-file", str(settings.data / "gpugen-a.token"), "--idle-exit", "90"]


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
