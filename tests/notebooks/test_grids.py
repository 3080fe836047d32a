"""The second notebook runs from its first cell to its last, too."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from tests.notebooks.running import GRIDS, cell_with, execute, forms, fresh_user


def test_it_is_kept_without_outputs() -> None:
    code = [cell for cell in nbformat.read(GRIDS, as_version=4).cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.timeout(400)
def test_every_cell_shows_what_it_promises(short_tmp: Path, tmp_path: Path) -> None:
    with fresh_user(short_tmp / "grids", GPUGEN_GENERATOR="fake") as environment:
        notebook = execute(environment, tmp_path, notebook=GRIDS)

    for text in ("-o fox", "--grid", "--init"):
        assert any("image/png" in form for form in forms(cell_with(notebook, text))), text
    assert "'animal': 'owl'" in cell_with(notebook, "for values").outputs[0].text
    assert "on a green background" in forms(cell_with(notebook, "gpugen.recipe"))[0]["text/plain"]
    replayed = cell_with(notebook, "replay")
    assert any("The pixels are identical." in out.get("text", "") for out in replayed.outputs)
    assert "text/html" in forms(cell_with(notebook, "%gpugen history"))[0]
