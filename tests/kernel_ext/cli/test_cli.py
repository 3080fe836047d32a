from __future__ import annotations

import resource
import statistics
import subprocess
import sys

import click
import pytest

from gpugen import cli
from gpugen_protocol import __version__, errors

GPUGEN = [sys.executable, "-m", "gpugen"]


def test_the_version_is_the_protocols(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_a_command_that_does_not_exist_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["stauts"]) == 2
    assert "gpugen status" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["generate"], ["generate", "a", "--steps", "many"], ["queue", "--nope"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    capsys.readouterr()


def test_the_help_lists_every_command_without_loading_any() -> None:
    program = (
        "import sys; from gpugen.cli import run; code = run(['--help'])\n"
        "heavy = {'requests', 'rich', 'tornado', 'torch', 'peewee', 'websockets'} & set(sys.modules)\n"
        "assert not heavy, heavy\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in (
        "generate",
        "status",
        "queue",
        "cancel",
        "retry",
        "logs",
        "images",
        "models",
        "workers",
        "lab",
    ):
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("command", [["-c", "import gpugen"], ["-m", "gpugen", "--help"]])
def test_starting_costs_less_than_half_a_second(command: list[str]) -> None:
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(taken) < 0.5  # of the processor: who else uses the machine does not matter


def raising(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.Command("fail", callback=fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.TaskFailed("No."), 1),
        (errors.TaskCanceled("No."), 1),
        (errors.SaveFailed("No."), 1),
        (errors.GpugenError("No."), 1),
        (OSError(28, "No."), 1),
        (errors.InvalidRequest("No."), 2),
        (errors.UnknownModel("No."), 2),
        (errors.NotFound("No."), 2),
        (errors.TooManyRequests("No."), 2),
        (errors.MissingExtra("No."), 2),
        (errors.Misconfigured("No."), 2),
        (click.UsageError("No."), 2),
        (errors.ServerUnreachable("No."), 3),
        (errors.LocalServerFailed("No."), 3),
        (errors.Unauthorized("No."), 3),
        (errors.Forbidden("No."), 3),
        (errors.Unavailable("No."), 3),
    ],
)
def test_every_error_is_one_sentence_and_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.gpugen, "get_command", lambda ctx, name: raising(error))
    monkeypatch.setattr(cli.gpugen, "found", {"fail": None})
    assert cli.run(["fail"]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert "No." in output.err
    assert "Traceback" not in output.err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_exit_code_130(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.gpugen, "get_command", lambda ctx, name: raising(error))
    monkeypatch.setattr(cli.gpugen, "found", {"fail": None})
    assert cli.run(["fail"]) == 130


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.gpugen, "get_command", lambda ctx, name: raising(ZeroDivisionError()))
    monkeypatch.setattr(cli.gpugen, "found", {"fail": None})
    with pytest.raises(ZeroDivisionError):
        cli.run(["fail"])


@pytest.mark.parametrize(
    ("package", "command", "extra"), [("tornado", "serve", "server"), ("jupyterlab", "lab", "lab")]
)
def test_a_command_whose_extra_is_missing_names_the_install(package: str, command: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"from gpugen.cli import run; sys.exit(run([{command!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'gpugen[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_an_error_says_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        cli.gpugen, "get_command", lambda ctx, name: raising(errors.TaskFailed("\x1b[2Jgone\u202e"))
    )
    monkeypatch.setattr(cli.gpugen, "found", {"fail": None})
    cli.run(["fail"])
    assert capsys.readouterr().err.splitlines()[0] == "gpugen: [2Jgone"
