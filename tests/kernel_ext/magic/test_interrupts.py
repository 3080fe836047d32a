"""An interrupt ends a cell in one line and stops its task, at whatever moment it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import RunningServer

from gpugen import arguments, session
from gpugen.client import Task
from gpugen.ending import Cancelled
from gpugen.subcommands import Subcommands
from gpugen.submission import Submission
from gpugen.sweep import Sweep
from gpugen.terminal import Terminal
from gpugen_client.tasks import Tasks

Interrupt = Callable[..., None]


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (Tasks, "submit", False),
        (Tasks, "submit", True),
        (Task, "__init__", True),
        (Subcommands, "note", False),
        (session, "view_for", True),
        (Submission, "__init__", False),
        (Submission, "__init__", True),
        (Submission, "follow", False),
        (Terminal, "open", False),
        (Terminal, "open", True),
    ],
)
def test_from_the_submission_on_the_task_is_canceled(
    gpugen_shell: Any, server: RunningServer, interrupt: Interrupt, owner: Any, name: str, after: bool
) -> None:
    interrupt(owner, name, after=after)
    with pytest.raises(Cancelled, match=r"^Task \w{26} was canceled\.$") as caught:
        gpugen_shell.run_cell_magic("gpugen", "-n 16 --steps 100", "a cat")
    (task,) = server.tasks().list().tasks
    assert task.state == "canceled"
    assert task.id in str(caught.value)
    assert len(caught.value._render_traceback_()) == 1


@pytest.mark.parametrize(
    ("owner", "name"), [(arguments, "parse"), (session, "Client"), (session.Session, "generate")]
)
def test_before_it_nothing_is_submitted(
    gpugen_shell: Any, server: RunningServer, interrupt: Interrupt, owner: Any, name: str
) -> None:
    interrupt(owner, name)
    with pytest.raises(Cancelled, match=r"^Nothing was submitted\.$"):
        gpugen_shell.run_line_magic("gpugen", "a cat")
    assert not server.tasks().list().tasks


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (Tasks, "submit", True),
        (session.grids, "submit", True),
        (Sweep, "__init__", True),
        (Sweep, "follow", False),
        (Terminal, "open", True),
    ],
)
def test_a_grid_is_canceled_as_far_as_it_was_submitted(
    gpugen_shell: Any, server: RunningServer, interrupt: Interrupt, owner: Any, name: str, after: bool
) -> None:
    interrupt(owner, name, after=after)
    with pytest.raises(Cancelled, match="was canceled"):
        gpugen_shell.run_line_magic("gpugen", "--grid seed=1,2,3 a cat")
    assert {task.state for task in server.tasks().list().tasks} == {"canceled"}


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [(Tasks, "retry", False), (Tasks, "retry", True), (session, "view_for", False)],
)
def test_what_is_drawn_again_is_canceled_too(
    gpugen_shell: Any, server: RunningServer, interrupt: Interrupt, owner: Any, name: str, after: bool
) -> None:
    gpugen_shell.run_line_magic("gpugen", "--no-wait a cat")
    (first,) = server.tasks().list().tasks
    server.tasks().cancel(first.id)
    interrupt(owner, name, after=after)
    with pytest.raises(Cancelled, match="was canceled"):
        gpugen_shell.run_line_magic("gpugen", f"retry {first.id}")
    again, _ = server.tasks().list().tasks
    assert (again.state, again.retry_of) == ("canceled", first.id)


def test_looking_at_a_task_does_not_stop_it(
    gpugen_shell: Any, server: RunningServer, interrupt: Interrupt
) -> None:
    gpugen_shell.run_line_magic("gpugen", "--no-wait a cat")
    interrupt(Terminal, "open")
    with pytest.raises(Cancelled, match="Nothing was submitted"):
        gpugen_shell.run_line_magic("gpugen", "attach")
    assert [task.state for task in server.tasks().list().tasks] == ["queued"]
