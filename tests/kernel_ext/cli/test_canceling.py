"""Ctrl-C in `gpugen generate`: whenever it comes, and also where nobody can be told."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.client.bad_line import BadLine
from tests.conftest import RunningServer
from tests.fakes import DrawingWorker, until
from tests.kernel_ext.conftest import Shell

from gpugen import cli
from gpugen.cli import following
from gpugen.client import Task
from gpugen_client.tasks import Tasks


@pytest.mark.parametrize(
    "moment",
    [
        (Tasks, "submit", False),
        (Tasks, "submit", True),
        (Task, "__init__", True),
        (following, "follow", False),
        (following.Lines, "show", True),
    ],
)
def test_at_whatever_moment_it_comes_the_task_is_canceled_and_it_says_so(
    server: RunningServer,
    interrupt: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    moment: tuple[Any, str, bool],
) -> None:
    monkeypatch.setenv("GPUGEN_URL", server.url)
    monkeypatch.setenv("GPUGEN_TOKEN", server.user_token)
    owner, name, after = moment
    interrupt(owner, name, after=after)
    assert cli.run(["generate", "a cat"]) == cli.INTERRUPTED
    assert capsys.readouterr().err.rstrip().endswith(" ...\nCanceled.")
    assert [task.state for task in server.tasks().list().tasks] == ["canceled"]


def test_a_server_that_goes_away_is_told_of_and_that_it_could_not_be_asked_to_cancel(
    gpugen: Shell, server: RunningServer, drawing_worker: DrawingWorker
) -> None:
    drawing_worker.hold(before_step=3)
    with BadLine(urlsplit(server.url).port) as line:
        process = gpugen.start("generate", "a cat", GPUGEN_URL=line.url)
        until(lambda: server.server.watchers, 20)
        until(lambda: drawing_worker.claimed, 20)
    assert process.stderr is not None
    while "Trying again." not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    (task,) = drawing_worker.claimed
    assert process.returncode == 130
    assert f"The server could not be told: task {task} may go on. `gpugen cancel {task}`" in err
    assert "Canceled." not in err
    assert server.tasks().get(task).state == "running"
