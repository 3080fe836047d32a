"""The command `gpugen`: its sub-commands are entry points, its errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from gpugen.cli.commands import Commands
from gpugen_protocol import __version__
from gpugen_protocol.errors import (
    Forbidden,
    GpugenError,
    LocalServerFailed,
    SaveFailed,
    ServerUnreachable,
    TaskCanceled,
    TaskFailed,
    Unauthorized,
    Unavailable,
    VersionMismatch,
)

DONE, FAILED, REFUSED, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130

_FAILED = (TaskFailed, TaskCanceled, SaveFailed)
_UNREACHABLE = (
    ServerUnreachable,
    Unavailable,
    LocalServerFailed,
    VersionMismatch,
    Unauthorized,
    Forbidden,
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gpugen")
def gpugen() -> None:
    """Images from prompts: drawn by GPU workers anywhere, or by this machine.

    With no GPUGEN_URL, a private server and worker start by themselves.
    """


def main() -> None:
    """What the installed command runs."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code."""
    try:
        return _exit_code(gpugen.main(list(arguments), prog_name="gpugen", standalone_mode=False))
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return REFUSED
    except GpugenError as error:
        return _explain(error)
    except BrokenPipeError:
        return _hang_up()
    except OSError as error:
        return _explain(SaveFailed(f"{error.filename or 'The output'}: {error.strerror or error}."))


def _exit_code(outcome: object) -> int:
    """Of a command that asked for a code (`ctx.exit`); others are done."""
    return outcome if isinstance(outcome, int) else DONE


def _explain(error: GpugenError) -> int:
    from gpugen.harmless import clean

    click.echo(f"gpugen: {clean(error.message)}", err=True)
    if error.hint:
        click.echo(f"        {clean(error.hint)}", err=True)
    if isinstance(error, _UNREACHABLE):
        return UNREACHABLE
    return FAILED if isinstance(error, _FAILED) or type(error) is GpugenError else REFUSED


def _hang_up() -> int:
    """The reader of our output went away (`gpugen models | head -1`): no error, and nothing to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the last flush would complain
    return DONE
