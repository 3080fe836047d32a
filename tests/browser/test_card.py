"""The card of a cell in JupyterLab: it moves without jumping, its button works, what it leaves stays."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, Page, expect
from tests.conftest import RunningServer
from tests.fakes import DrawingWorker, until
from tools.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PICTURE = "img[src^='data:image/png']:not(.gpugen-pictures *)"
GRAVE = {"serious", "critical"}
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

    def __init__(self, page: Page, lab: Lab, server: RunningServer, *cells: str) -> None:
        named = {"GPUGEN_URL": server.url, "GPUGEN_TOKEN": server.user_token}
        first = f"import os\nos.environ.update({named})\n%load_ext gpugen"
        self.path = lab.write(f"{next(_numbers)}.ipynb", first, *cells)
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

    def shut_down(self) -> None:
        """End its kernel."""
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:shutdown-kernel')")
        self.page.get_by_text("No Kernel").first.wait_for()

    def wait_idle(self) -> None:
        """The status bar knows better than the notebook's own sign."""
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def close(found: Any, wanted: Any, *keys: str) -> bool:
    """Whether two boxes are the same, to a pixel."""
    return all(abs(found[key] - wanted[key]) <= 1 for key in keys or ("x", "y", "width", "height"))


def serious(page: Page, where: Locator) -> list[str]:
    """What axe-core finds wrong inside `where` that keeps people out.

    JupyterLab gives the images of `image/png` outputs no alternative text, not even that of their metadata.
    """
    where.evaluate("each => { each.id = 'checked' }")
    context = {"include": ["#checked"], "exclude": [".jp-RenderedImage"]}
    found = Axe().run(page, context=context).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in GRAVE]


def printed(page: Page, notebook: Path) -> bytes:
    """The PDF of a notebook, as `nbconvert --to webpdf` makes it, but in the browser that is there."""
    exported, _ = HTMLExporter(template_name="webpdf").from_filename(str(notebook))
    page.route("**/*", lambda route: route.abort())  # the page would fetch a library for formulas
    page.set_content(exported)
    return page.pdf()


def choose_theme(page: Page, name: str) -> None:
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
    light = "true" if name.endswith("Light") else "false"
    page.locator(f"body[data-jp-theme-light='{light}']").wait_for(state="attached")


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
    card, pictures = cell.locator(".gpugen-card"), cell.locator(".gpugen-pictures")
    expect(card.get_by_text("● drawing")).to_be_visible()
    words, places = card.bounding_box(), pictures.bounding_box()
    title = card.locator(".gpugen-prompt").bounding_box()
    assert bar_width(card) == 0

    worker.go_on()
    preview = pictures.locator("img[src^='data:image/jpeg']").first
    preview.wait_for()
    first = preview.get_attribute("src")
    until(lambda: bar_width(card) > 0 and preview.get_attribute("src") != first, 60)
    worker.hold()
    assert (card.bounding_box(), pictures.bounding_box()) == (words, places)
    worker.seconds_per_step = 0.0
    worker.go_on()

    expect(card).to_have_count(0)
    expect(cell.locator(PICTURE)).to_have_count(1)
    done = cell.get_by_text("Done in")
    expect(done).to_be_visible()
    assert close(cell.locator(PICTURE).bounding_box(), places), "the picture stands where the previews stood"
    assert close(cell.locator("[title='a slice of pizza']").last.bounding_box(), title, "x", "y")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    assert "widget-view" not in json.dumps(nbformat.read(cells.path, as_version=4).cells)
    assert cells.errors == []


def test_everything_can_be_reached_by_keyboard_and_a_checker_finds_nothing_serious(
    page: Page, lab: Lab, server: RunningServer, worker: DrawingWorker
) -> None:
    cells = Cells(page, lab, server, "%%gpugen -n 2 --steps 150 --size 128x128\na slice of pizza")
    worker.hold()
    cell = cells.run(1)
    button = cell.get_by_role("button", name="Cancel")
    expect(button).to_be_visible()
    assert serious(page, cell.locator(".jp-Cell-outputWrapper")) == []
    assert button.evaluate("each => each.tabIndex") == 0
    button.focus()
    page.keyboard.press("Enter")
    until(lambda: server.tasks().list().tasks[0].state == "canceled", 60)
    worker.go_on()
    cells.wait_idle()


def test_what_stays_is_for_everybody_in_both_themes_and_without_a_kernel(
    page: Page, lab: Lab, server: RunningServer, worker: DrawingWorker
) -> None:
    worker.seconds_per_step = 0.0
    cells = Cells(page, lab, server, "%%gpugen --steps 2 --size 128x128 --seed 7\na slice of pizza")
    cell = cells.run(1)
    expect(cell.get_by_text("Done in")).to_be_visible()
    outputs = cell.locator(".jp-Cell-outputWrapper")
    full = cell.get_by_role("link", name="Full size").get_attribute("href")
    assert full.startswith("/gpugen/api/v1/tasks/")
    assert cell.get_by_role("link", name="Download").get_attribute("download") == "gpugen-7.png"
    cell.get_by_text("Recipe", exact=True).focus()
    page.keyboard.press("Enter")
    expect(cell.get_by_text("%%gpugen -m emoji --seed 7")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    cell.get_by_role("button", name="Copy recipe").click()
    expect(cell.get_by_role("button", name="Copied")).to_be_visible()
    assert "a slice of pizza" in page.evaluate("navigator.clipboard.readText()")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        choose_theme(page, theme)
        assert serious(page, outputs) == []

    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    cells.shut_down()
    page.goto(lab.address(cells.path.name))
    expect(cells[1].locator(PICTURE)).to_have_count(1)
    expect(cells[1].get_by_text("Done in")).to_be_visible()
    assert "model not found" not in cells[1].inner_text()
    assert b"/Subtype /Image" in printed(page, cells.path)


def test_a_page_that_is_loaded_anew_loses_nothing(
    page: Page, lab: Lab, server: RunningServer, worker: DrawingWorker
) -> None:
    cells = Cells(page, lab, server, "%%gpugen --steps 20 --size 128x128\na slice of pizza", "%gpugen show")
    worker.hold()
    cells.run(1)
    expect(cells[1].locator(".gpugen-card")).to_be_visible()
    page.keyboard.press("Control+s")
    page.goto(lab.address(cells.path.name))
    worker.go_on()
    until(lambda: server.tasks().list().tasks[0].state == "succeeded", 60)
    cells.wait_idle()
    shown = cells.run(2)
    expect(shown.locator(PICTURE)).to_have_count(1)


def test_the_stop_button_cancels_and_the_rest_does_not_run(
    page: Page, lab: Lab, server: RunningServer, worker: DrawingWorker
) -> None:
    slow = "%%gpugen --steps 150 --size 128x128\na slow sunset"
    cells = Cells(page, lab, server, slow, "print('went ' + 'on')")
    worker.hold()
    cell = cells.run(1)
    expect(cell.locator(".gpugen-card")).to_be_visible()
    cells.run(2)
    page.locator("[data-command='notebook:interrupt-kernel']").first.click()
    until(lambda: server.tasks().list().tasks[0].state == "canceled", 60)
    worker.go_on()
    cells.wait_idle()
    expect(cell.get_by_text("was canceled")).to_be_visible()
    assert "went on" not in cells[2].inner_text()


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
    expect(
        cell.get_by_text("TaskCanceled")
    ).to_be_visible()  # the kernel may be idle before the page has the error
    expect(cell.get_by_text("Traceback")).to_have_count(0)


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
