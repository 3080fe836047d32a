"""Runs the quickstart as somebody would who has just installed gpugen."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import psutil
from nbclient import NotebookClient

from gpugen_protocol import places
from gpugen_protocol.local import RuntimeFile

GRIDS = Path(__file__).parents[2] / "notebooks" / "grids-and-recipes.ipynb"
QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


@contextmanager
def fresh_user(data: Path, **settings: str) -> Iterator[dict[str, str]]:
    """The environment of somebody who never used gpugen; the private server is stopped at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}
    places_of_its_own = {"GPUGEN_DATA_DIR": str(data), "XDG_CONFIG_HOME": str(data / "config")}
    try:
        yield {**clean, **places_of_its_own, "GPUGEN_SERVER_IDLE_EXIT": "120", **settings}
    finally:
        _stop_server(data)


def execute(
    environment: dict[str, str], folder: Path, timeout: int = 120, notebook: Path = QUICKSTART
) -> Any:
    """The quickstart, or another one, executed in `folder`; no cell may take more than `timeout` seconds."""
    return execute_cells(nbformat.read(notebook, as_version=4), environment, folder, timeout)


def execute_cells(notebook: Any, environment: dict[str, str], folder: Path, timeout: int) -> Any:
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    asyncio.run(client.async_execute(env=environment))
    return notebook


def cell_with(notebook: Any, text: str) -> Any:
    """The code cell with `text` in it."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code" and text in cell.source)


def forms(cell: Any) -> list[dict[str, Any]]:
    """What a cell shows: each output's forms by MIME type."""
    return [out["data"] for out in cell.outputs if "data" in out]


def _stop_server(data: Path) -> None:
    runtime = places.runtime_file(data)
    if runtime.exists():
        server = psutil.Process(msgspec.json.decode(runtime.read_bytes(), type=RuntimeFile).pid)
        server.send_signal(signal.SIGTERM)
        server.wait(30)
