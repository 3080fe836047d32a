"""The main job where people do it: a cell in JupyterLab, in a real browser, drawn by a real worker."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.kernel import wait_for_kernel
from tools.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
DRAWN_MS = 240_000  # the first picture waits for server, worker and torch, maybe on a busy machine
# Every width the bar of the card has had while it was not merely waiting.
WATCH_BAR = """() => {
  window.seen = new Set();
  new MutationObserver(() => {
    const bars = '.jp-OutputArea-output .gpugen-bar:not(.gpugen-waiting) .progress-bar';
    document.querySelectorAll(bars).forEach(bar => window.seen.add(bar.style.width));
  }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def open_notebook(page: Page, lab: Lab, name: str) -> None:
    """Open it and wait for its kernel; the notebook's own indicator says idle too early."""
    page.goto(lab.address(name))
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def open_panel(page: Page) -> Locator:
    page.get_by_role("tab", name="gpugen").click()
    panel = page.get_by_role("region", name="gpugen")
    expect(panel).to_be_visible()
    return panel


def run(page: Page, index: int) -> Locator:
    """Run cell `index`; gives its outputs."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(index)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell.locator(".jp-OutputArea-output")


def picture_in(outputs: Locator) -> Locator:
    """The durable picture, not a preview of the card."""
    return outputs.locator("img[src^='data:image/png']:not(.gpugen-pictures *)").last


def save(page: Page) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)


def saved_pictures(path: Path) -> list[str]:
    """The PNGs in the file."""
    notebook = nbformat.read(path, as_version=4)
    shown = [out.get("data", {}) for cell in notebook.cells for out in cell.get("outputs", [])]
    return [data["image/png"] for data in shown if "image/png" in data]


def test_a_prompt_becomes_a_picture_that_survives_saving_and_reloading(
    page: Page, lab: Lab, pictures: Path
) -> None:
    path = lab.write("pizza.ipynb", "%load_ext gpugen", "%%gpugen --seed 7 --steps 60\na slice of pizza")
    open_notebook(page, lab, path.name)
    page.evaluate(WATCH_BAR)

    run(page, 0)
    outputs = run(page, 1)
    card = outputs.locator(".gpugen-card")
    expect(card).to_be_visible()
    page.wait_for_function("window.seen.size >= 3", timeout=DRAWN_MS)
    page.screenshot(path=pictures / "lab-drawing.png")
    expect(picture_in(outputs)).to_be_visible(timeout=DRAWN_MS)
    expect(card).to_have_count(0)
    save(page)
    assert len(saved_pictures(path)) == 1

    page.reload()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    kept = page.locator(".jp-OutputArea-output")
    expect(picture_in(kept)).to_be_visible()
    assert picture_in(kept).evaluate("image => image.naturalWidth") >= 64
    expect(page.get_by_text("model not found")).to_have_count(0)


def test_a_page_reloaded_while_a_cell_runs_finds_its_picture_again(page: Page, lab: Lab) -> None:
    path = lab.write(
        "reload.ipynb",
        "%load_ext gpugen",
        "%%gpugen --seed 7 -n 2 --steps 150\na slice of pizza",
        "%gpugen attach",
    )
    open_notebook(page, lab, path.name)
    page.evaluate(WATCH_BAR)
    run(page, 0)
    run(page, 1)
    page.wait_for_function("window.seen.size >= 1", timeout=DRAWN_MS)

    page.reload()  # with most of the steps to come
    wait_for_kernel(page)
    expect(picture_in(run(page, 2))).to_be_visible(timeout=DRAWN_MS)
    save(page)
    assert saved_pictures(path)


def test_the_quickstart_draws_in_the_browser_what_it_promises(page: Page, lab: Lab, pictures: Path) -> None:
    copy = Path(shutil.copy(QUICKSTART, lab.notebooks))
    page.set_viewport_size({"width": 1180, "height": 900})
    open_notebook(page, lab, copy.name)
    open_panel(page)

    run(page, 0)
    pizza = picture_in(run(page, 1))
    expect(pizza).to_be_visible(timeout=DRAWN_MS)
    flowers = picture_in(run(page, 2))
    expect(flowers).to_be_visible(timeout=DRAWN_MS)
    assert flowers.evaluate("image => image.naturalWidth") >= 4 * 128  # a sheet of four

    expect(page.locator(".gpugen-panel-task img").nth(1)).to_be_visible()
    page.locator(".jp-Notebook .jp-CodeCell").nth(1).evaluate("cell => cell.scrollIntoView()")
    page.screenshot(path=pictures / "lab-light.png")


def test_the_panel_follows_a_task_to_its_picture(page: Page, lab: Lab, pictures: Path) -> None:
    path = lab.write("fox.ipynb", "%load_ext gpugen", "%%gpugen -n 3 --seed 3 --steps 120\na red fox")
    open_notebook(page, lab, path.name)
    row = open_panel(page).locator(".gpugen-panel-task").filter(has_text="a red fox")

    run(page, 0)
    run(page, 1)
    expect(row).to_have_attribute("data-state", "running", timeout=DRAWN_MS)
    bar = row.get_by_role("progressbar")
    expect(bar).to_have_attribute(
        "aria-valuetext", re.compile(r"image 2 .* step \d+ of 120"), timeout=DRAWN_MS
    )
    page.screenshot(path=pictures / "lab-panel-drawing.png")

    expect(row).to_have_attribute("data-state", "succeeded", timeout=DRAWN_MS)
    expect(row.get_by_role("img", name="a red fox")).to_be_visible()
    assert row.get_by_role("img").evaluate("image => image.naturalWidth") >= 48
    expect(row).to_contain_text("done in")
    page.screenshot(path=pictures / "lab-panel.png")


def test_the_panel_says_so_when_the_gpugen_server_is_away(page: Page, lab: Lab) -> None:
    problem = '{"title": "t", "status": 503, "detail": "It is away.", "code": "unavailable", "hint": "Wait."}'
    page.route(
        "**/gpugen/api/v1/tasks?*",
        lambda route: route.fulfill(status=503, content_type="application/problem+json", body=problem),
    )
    page.goto(lab.address())

    notice = open_panel(page).get_by_role("alert")

    expect(notice).to_contain_text("It is away.")
    expect(notice).to_contain_text("Wait.")


def test_the_panel_says_so_when_the_extension_is_not_there(page: Page, lab: Lab) -> None:
    page.route("**/gpugen/api/v1/tasks?*", lambda route: route.fulfill(status=404, body="nothing here"))
    page.goto(lab.address())

    expect(open_panel(page).get_by_role("alert")).to_contain_text("not enabled in this Jupyter server")
