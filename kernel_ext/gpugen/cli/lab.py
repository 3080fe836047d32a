"""`gpugen lab`: JupyterLab with panel, magic and server wired."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("notebook", required=False, type=click.Path(path_type=Path))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(notebook: Path | None, options: tuple[str, ...]) -> None:
    """Open JupyterLab, with NOTEBOOK if one is named.

    What follows is passed on: `gpugen lab quickstart.ipynb -- --no-browser --port 9999`.
    """
    from gpugen_protocol.errors import InvalidRequest, MissingExtra

    if find_spec("jupyterlab") is None:
        raise MissingExtra("JupyterLab is not installed.", hint="Run: pip install 'gpugen[lab]'")
    if notebook is not None and not notebook.exists():
        raise InvalidRequest(f"There is no file {notebook}.", hint="Leave it out to open the launcher.")
    arguments = [*([] if notebook is None else [str(notebook)]), *options]
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *arguments])  # noqa: S606 - no shell wanted
