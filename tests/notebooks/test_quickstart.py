"""The quickstart runs from its first cell to its last in a fresh kernel, with a private server of its own."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import pytest
from PIL import Image
from tests.notebooks.running import QUICKSTART, cell_with, execute, forms, fresh_user

WIDGET = "application/vnd.jupyter.widget-view+json"
SHOWS_A_PICTURE = ("a slice of pizza", "-n 4", "--no-wait", "a red balloon", "task.wait()")


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(QUICKSTART, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.timeout(400)
def test_every_cell_shows_what_it_promises(short_tmp: Path, tmp_path: Path) -> None:
    with fresh_user(short_tmp / "quick", GPUGEN_GENERATOR="fake") as environment:
        notebook = execute(environment, tmp_path)

    for text in SHOWS_A_PICTURE:
        shown = forms(cell_with(notebook, text))
        assert any("image/png" in form for form in shown), text
        assert not any(WIDGET in form for form in shown), text
    (sheet,) = [form["image/png"] for form in forms(cell_with(notebook, "-n 4")) if "image/png" in form]
    assert Image.open(io.BytesIO(base64.b64decode(sheet))).width >= 4 * 128
    assert len(list((tmp_path / "gpugen-images").glob("*.png"))) == 4
    assert "drawing" in cell_with(notebook, "phases").outputs[0].text
    assert "--no-wait" in cell_with(notebook, "--help").outputs[0].text
