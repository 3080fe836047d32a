"""`python -m gpugen_server`: the same as `gpugen serve`, for who has only the server; errors are one line."""

from __future__ import annotations

import sys

import click

from gpugen_protocol.errors import GpugenError, MissingExtra
from gpugen_server.commands import serve

OWN = "gpugen"  # what our own packages' names start with


def main() -> int:
    """Run `serve` and give the exit code: 2 for whatever kept it from serving."""
    try:
        serve.main(prog_name="python -m gpugen_server", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return 130
    except GpugenError as error:
        return _explain(error)
    except ModuleNotFoundError as error:
        if (error.name or OWN).startswith(OWN):
            raise
        return _explain(
            MissingExtra(
                f"The server needs {str(error.name).partition('.')[0]}, which is not installed.",
                hint="Run: pip install 'gpugen[server]'",
            )
        )
    return 0


def _explain(error: GpugenError) -> int:
    click.echo(f"Error: {error}", err=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
