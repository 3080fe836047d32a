"""The quickstart runs from its first cell to its last in a fresh kernel, with a private server of its own."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from PIL import Image

from gpugen_protocol import places
from gpugen_protocol.local import RuntimeFile

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def environment(short_tmp: Path) -> Iterator[dict[str, str]]:
    """A machine where gpugen was never used; its private server is stopped at the end."""
    data = short_tmp / "quickstart"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}
    yield {
        **clean,
        "GPUGEN_DATA_DIR": str(data),
        "XDG_CONFIG_HOME": str(data / "config"),
        "GPUGEN_SERVER_IDLE_EXIT": "60",
        "GPUGEN_GENERATOR": "fake",
    }
    stop_server(data)


def stop_server(data: Path) -> None:
    """End the private server of `data`, if there is one, and wait for it."""
    runtime = places.runtime_file(data)
    if runtime.exists():
        server = psutil.Process(msgspec.json.decode(runtime.read_bytes(), type=RuntimeFile).pid)
        server.send_signal(signal.SIGTERM)
        server.wait(15)


def execute(environment: dict[str, str], folder: Path) -> Any:
    """The quickstart, executed in `folder`."""
    notebook = nbformat.read(QUICKSTART, as_version=4)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    asyncio.run(client.async_execute(env=environment))
    return notebook


def forms(cell: Any) -> list[dict[str, Any]]:
    """What a cell shows, form by form."""
    return [out["data"] for out in cell.outputs if "data" in out]


def cell_with(notebook: Any, text: str) -> Any:
    """The code cell with `text` in it."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code" and text in cell.source)


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(QUICKSTART, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert notebook.metadata.kernelspec.name == "python3"


def test_every_cell_shows_what_it_promises(environment: dict[str, str], tmp_path: Path) -> None:
    started = time.monotonic()
    notebook = execute(environment, tmp_path)

    for prompt in ("a slice of pizza", "-n 4", "--no-wait", "a red balloon", "task.wait()"):
        shown = forms(cell_with(notebook, prompt))
        assert any("image/png" in form for form in shown), prompt
        assert not any(WIDGET in form for form in shown), prompt
    (sheet,) = [form["image/png"] for form in forms(cell_with(notebook, "-n 4")) if "image/png" in form]
    assert Image.open(io.BytesIO(base64.b64decode(sheet))).width >= 4 * 128
    assert len(list((tmp_path / "gpugen-images").glob("*.png"))) == 4
    assert "drawing" in cell_with(notebook, "phases").outputs[0].text
    assert "--no-wait" in cell_with(notebook, "--help").outputs[0].text
    assert time.monotonic() - started < 120
