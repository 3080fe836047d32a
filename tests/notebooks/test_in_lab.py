"""What a user sees in JupyterLab: the card, its button, the picture that stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.conftest import RunningServer
from tests.fakes import DrawingWorker
from tests.notebooks.lab import LabNotebook, chromium_page, jupyter_lab
from tests.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CELLS = [
    "%load_ext gpugen",
    "%%gpugen -n 2 --seed 7 --steps 12 --size 128x128\na slice of pizza",
    "%%gpugen --steps 150 --size 512x512\na very slow sunset",
    "%%gpugen --no-wait --steps 8 --size 128x128\na cup of tea",
]
PICTURE = "img[src^='data:image/png']"


@pytest.fixture(scope="module")
def server(valkey: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    found = RunningServer(tmp_path_factory.mktemp("server"), valkey)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def worker(server: RunningServer) -> Iterator[DrawingWorker]:
    with DrawingWorker(server.url, server.worker_token, seconds_per_step=0.05) as found:
        yield found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def notebook(server: RunningServer, root: Path) -> Iterator[LabNotebook]:
    environ = {
        "GPUGEN_URL": server.url,
        "GPUGEN_TOKEN": server.user_token,
        "GPUGEN_DATA_DIR": str(root / "user"),
    }
    with jupyter_lab(root / "lab", CELLS, environ) as url, chromium_page() as page:
        found = LabNotebook(page, url)
        found.start(0)
        found.wait_idle()
        yield found
        assert [error for error in page.errors if "favicon" not in error] == []


def bar_width(card: Any) -> float:
    """How far the bar of a card is, 0 to 100; 0 while it waits."""
    if card.locator(".gpugen-waiting").count():
        return 0.0
    return float(card.locator(".progress-bar").evaluate("e => parseFloat(e.style.width)"))


def test_a_card_lives_then_a_picture_stays_and_survives_a_reload(
    notebook: LabNotebook, worker: DrawingWorker, root: Path
) -> None:
    card = notebook.cell(1).locator(".gpugen-card")
    worker.hold()
    notebook.start(1)
    wait_for(lambda: "drawing" in card.inner_text())
    size = card.bounding_box()
    assert bar_width(card) == 0

    worker.go_on()
    card.locator("img[src^='data:image/jpeg']").first.wait_for()
    worker.hold()
    first = wait_for(lambda: bar_width(card))
    assert "Image 1 of 2, step" in card.inner_text()
    assert card.bounding_box() == size, "the layout jumped"
    worker.go_on()
    notebook.output(1).locator(PICTURE).first.wait_for()
    worker.hold()
    if card.count():
        assert bar_width(card) > first
    worker.go_on()

    card.wait_for(state="detached")
    notebook.wait_idle()
    assert "Done in" in notebook.cell(1).inner_text()
    notebook.save()
    saved = (root / "lab/notebooks/cells.ipynb").read_text()
    assert "widget-view" not in json.dumps(nbformat.reads(saved, as_version=4).cells)
    notebook.page.reload()
    notebook.output(1).locator(PICTURE).wait_for()
    assert "model not found" not in notebook.cell(1).inner_text().lower()
    notebook.wait_idle()


def test_the_button_cancels_while_the_cell_runs(
    notebook: LabNotebook, server: RunningServer, worker: DrawingWorker
) -> None:
    worker.hold()
    notebook.start(2)
    notebook.cell(2).locator(".gpugen-card").wait_for()
    notebook.cell(2).get_by_role("button", name="Cancel").click()
    wait_for(lambda: server.tasks().list().tasks[0].state == "canceled")
    worker.go_on()
    notebook.cell(2).get_by_text("Canceled before a picture was finished.").wait_for()
    notebook.wait_idle()

    text = notebook.cell(2).inner_text()
    assert "TaskCanceled" in text
    assert "Traceback" not in text


def test_a_cell_that_does_not_wait_gets_its_picture_later(
    notebook: LabNotebook, worker: DrawingWorker
) -> None:
    worker.hold()
    notebook.start(3)
    notebook.cell(3).locator(".gpugen-card").wait_for()
    notebook.wait_idle()
    worker.go_on()
    notebook.output(3).locator(PICTURE).wait_for()
    notebook.cell(3).get_by_text("Done in").wait_for()
