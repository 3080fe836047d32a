"""The card of a cell in JupyterLab: it moves without jumping, its button works, what it leaves stays."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect
from tests.conftest import RunningServer
from tests.fakes import DrawingWorker, until

if TYPE_CHECKING:
    from conftest import Lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PICTURE = "img[src^='data:image/png']"
_numbers = itertools.count()  # a notebook of the same name would get the kernel of the test before


@pytest.fixture(scope="module")
def server(valkey: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    found = RunningServer(tmp_path_factory.mktemp("server"), valkey)
    yield found
    found.stop()


@pytest.fixture
def worker(server: RunningServer) -> Iterator[DrawingWorker]:
    """A worker that a test can stop between two steps."""
    with DrawingWorker(server.url, server.worker_token, seconds_per_step=0.05) as found:
        yield found


class Cells:
    """A notebook on `page` whose first cell has loaded gpugen, for `server`."""

    def __init__(self, page: Page, lab: Lab, server: RunningServer, cell: str) -> None:
        named = {"GPUGEN_URL": server.url, "GPUGEN_TOKEN": server.user_token}
        first = f"import os\nos.environ.update({named})\n%load_ext gpugen"
        self.path = lab.write(f"{next(_numbers)}.ipynb", first, cell)
        self.page = page
        self.errors: list[str] = []
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.goto(lab.address(self.path.name))
        self.wait_idle()
        self.run(0)
        self.wait_idle()

    def __getitem__(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)

    def run(self, index: int) -> Locator:
        """Start a cell; gives it."""
        self[index].locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        return self[index]

    def wait_idle(self) -> None:
        """The status bar knows better than the notebook's own sign."""
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def bar_width(card: Locator) -> float:
    """How far the bar of a card is, 0 to 100; 0 while it waits."""
    if card.locator(".gpugen-waiting").count():
        return 0.0
    return float(card.locator(".progress-bar").evaluate("bar => parseFloat(bar.style.width)"))


def test_it_moves_without_jumping_and_leaves_a_picture(
    page: Page, lab: Lab, server: RunningServer, worker: DrawingWorker
) -> None:
    cells = Cells(page, lab, server, "%%gpugen -n 2 --steps 100 --size 128x128\na slice of pizza")
    worker.hold()
    cell = cells.run(1)
    card = cell.locator(".gpugen-card")
    expect(card.get_by_text("● drawing")).to_be_visible()
    size = card.bounding_box()
    assert bar_width(card) == 0

    worker.go_on()
    card.locator("img[src^='data:image/jpeg']").first.wait_for()
    worker.hold()
    until(lambda: bar_width(card) > 0, 60)
    assert card.bounding_box() == size
    worker.seconds_per_step = 0.0
    worker.go_on()

    expect(card).to_have_count(0)
    expect(cell.locator(PICTURE)).to_have_count(1)
    expect(cell.get_by_text("Done in")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    assert "widget-view" not in json.dumps(nbformat.read(cells.path, as_version=4).cells)
    assert cells.errors == []


def test_its_button_cancels_although_the_cell_keeps_the_kernel_busy(
    page: Page, lab: Lab, server: RunningServer, worker: DrawingWorker
) -> None:
    cells = Cells(page, lab, server, "%%gpugen --steps 150 --size 512x512\na very slow sunset")
    worker.hold()
    cell = cells.run(1)
    cell.locator(".gpugen-card").get_by_role("button", name="Cancel").click()
    until(lambda: server.tasks().list().tasks[0].state == "canceled", 60)
    worker.go_on()

    expect(cell.get_by_text("Canceled before a picture was finished.")).to_be_visible()
    cells.wait_idle()
    assert "TaskCanceled" in cell.inner_text()
    assert "Traceback" not in cell.inner_text()


def test_a_cell_that_does_not_wait_gets_its_picture_later(
    page: Page, lab: Lab, server: RunningServer, worker: DrawingWorker
) -> None:
    cells = Cells(page, lab, server, "%%gpugen --no-wait --steps 8 --size 128x128\na cup of tea")
    worker.hold()
    cell = cells.run(1)
    expect(cell.locator(".gpugen-card")).to_be_visible()
    cells.wait_idle()
    worker.go_on()

    expect(cell.locator(PICTURE)).to_have_count(1)
    expect(cell.get_by_text("Done in")).to_be_visible()
