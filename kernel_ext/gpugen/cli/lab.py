"""`gpugen lab`: JupyterLab with panel, magic and server wired."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[NOTEBOOK] [JUPYTERLAB OPTIONS]")
def lab(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab, with NOTEBOOK if one is named.

    \b
    gpugen lab quickstart.ipynb --no-browser --port 9999
    """
    from gpugen_protocol.errors import InvalidRequest, MissingExtra

    if find_spec("jupyterlab") is None:
        raise MissingExtra("JupyterLab is not installed.", hint="Run: pip install 'gpugen[lab]'")
    if arguments and not arguments[0].startswith("-") and not Path(arguments[0]).exists():
        raise InvalidRequest(f"There is no file {arguments[0]}.", hint="Leave it out to open the launcher.")
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *arguments])  # noqa: S606 - no shell wanted
