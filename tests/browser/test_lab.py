"""The main job where people do it: a cell in JupyterLab, in a real browser, drawn by a real worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from conftest import Lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

DRAWN_MS = 240_000  # the first picture waits for server, worker and torch, maybe on a busy machine
# Every width the bar of the card has had while it was not merely waiting.
WATCH_BAR = """() => {
  window.seen = new Set();
  new MutationObserver(() => {
    for (const bar of document.querySelectorAll('.jp-OutputArea-output .gpugen-bar:not(.gpugen-waiting) .progress-bar'))
      window.seen.add(bar.style.width);
  }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def open_notebook(page: Page, lab: Lab, name: str) -> None:
    """Open it and wait for its kernel; the notebook's own indicator says idle too early."""
    page.goto(lab.address(name))
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def run(page: Page, index: int) -> Locator:
    """Run cell `index`; gives its outputs."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(index)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell.locator(".jp-OutputArea-output")


def picture_in(outputs: Locator) -> Locator:
    """The durable picture, not a preview of the card."""
    return outputs.locator("img[src^='data:image/png'], .jp-RenderedImage img").last


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
    page.wait_for_function("window.seen.size >= 1", timeout=DRAWN_MS)
    page.screenshot(path=pictures / "drawing.png")
    expect(picture_in(outputs)).to_be_visible(timeout=DRAWN_MS)
    expect(card).to_have_count(0)
    assert page.evaluate("window.seen.size") >= 3
    save(page)
    assert len(saved_pictures(path)) == 1

    page.reload()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    kept = page.locator(".jp-OutputArea-output")
    expect(picture_in(kept)).to_be_visible()
    assert picture_in(kept).evaluate("image => image.naturalWidth") >= 64
    expect(page.get_by_text("model not found")).to_have_count(0)
    page.screenshot(path=pictures / "reloaded.png")
