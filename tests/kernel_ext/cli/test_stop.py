from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel_ext.conftest import Shell
from tests.server.programs import environment

from gpugen_client import private_server, runtime


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Shell]:
    """The command line with no server named, and a data directory of its own."""
    shell = Shell(tmp_path, "", "")
    shell.environ = environment(tmp_path / "data", GPUGEN_GENERATOR="fake")
    yield shell
    private_server.stop(shell.environ)


def test_the_private_server_is_ended(local: Shell) -> None:
    started = private_server.find_or_start(local.environ)
    done = local("stop")
    assert (done.returncode, done.stdout) == (
        0,
        f"Your private server at {started.url} (process {started.pid}) has ended.\n",
    )
    assert "Unfinished tasks go on" in done.stderr
    assert not runtime.process_lives(started.pid)


def test_where_none_runs_it_says_for_which_folder_and_that_is_fine(local: Shell) -> None:
    done = local("stop")
    assert (done.returncode, done.stdout) == (0, f"No private server runs for {local.folder / 'data'}.\n")


def test_its_own_address_means_the_private_server(local: Shell) -> None:
    started = private_server.find_or_start(local.environ)
    assert local("stop", GPUGEN_URL=started.url).returncode == 0
    assert not runtime.process_lives(started.pid)


def test_a_server_that_was_named_is_left_alone(local: Shell) -> None:
    started = private_server.find_or_start(local.environ)
    done = local("stop", GPUGEN_URL="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "names a server that is not your private one" in done.stderr
    assert runtime.process_lives(started.pid)
