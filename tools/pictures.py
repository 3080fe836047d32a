"""The cells in docs/pictures, in both themes: `python -m tools.pictures [FOLDER]`.

The browser tests take the others: `GPUGEN_TEST_PICTURES=docs/pictures pytest -m browser tests/browser`.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, Page, ViewportSize

from tools.lab import Lab, chromium, jupyterlab

DEFAULT = Path(__file__).parents[1] / "docs" / "pictures"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
PATIENCE_MS = 240_000
SCREEN = ViewportSize(width=860, height=2600)  # CSS pixels: every cell is on it
NO_TOOLBAR = ".jp-cell-toolbar { display: none !important }"
PIZZA = "a slice of pizza"
FLOWER = "a sunflower on a purple background"
WAITING = ".gpugen-card .gpugen-waiting"
# The bar has come this far, in percent: that of the steps, not of a model that loads.
DRAWN = """percent => [...document.querySelectorAll('.gpugen-card')].some(card => {
  const bar = card.querySelector('.gpugen-bar:not(.gpugen-waiting) .progress-bar');
  return /step \\d+ of/i.test(card.textContent) && parseFloat(bar?.style.width) >= percent;
})"""
CHANGE_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"


def main(arguments: list[str]) -> int:
    """Take them all."""
    folder = Path(arguments[0]) if arguments else DEFAULT
    with chromium() as browser:
        for suffix in THEMES:
            page = browser.new_page(viewport=SCREEN, device_scale_factor=2)
            page.set_default_timeout(PATIENCE_MS)
            with tempfile.TemporaryDirectory(prefix="gg-", ignore_cleanup_errors=True) as place:
                _take_all(page, Path(place), folder, suffix)
            page.close()
    return 0


def _take_all(page: Page, place: Path, folder: Path, suffix: str) -> None:
    """In a JupyterLab whose private server has yet to start, so that the first cell waits for a worker."""
    with jupyterlab(place, {"HF_HUB_OFFLINE": "1", "HF_HOME": str(place / "hub")}) as lab:
        _Notebook(page, lab, suffix, folder).run()


class _Notebook:
    """One notebook, a cell for each story; its pictures are named after the state that they show."""

    def __init__(self, page: Page, lab: Lab, suffix: str, folder: Path) -> None:
        self.page = page
        self._suffix, self._folder = suffix, folder
        page.goto(lab.address(lab.write("pictures.ipynb", "%load_ext gpugen", *[""] * 5).name))
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.evaluate(CHANGE_THEME, THEMES[suffix])
        page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
        page.add_style_tag(content=NO_TOOLBAR)
        self._next = 0
        self._start("%load_ext gpugen")

    def run(self) -> None:
        """Cell after cell."""
        self._single()
        self._several()
        cell = self._start("%%gpugen --steps 150 -n 4\na sailing boat")
        self._drawn(5)
        cell.get_by_role("button", name="Cancel").click()
        self._end(cell, "canceled")
        self._end(self._start("%%gpugen -m sd15\na city at night, oil on canvas"), "failed")
        grid = "%%gpugen --grid thing=fox,owl --grid steps=2,6,12 --seed 5"
        self._end(self._start(f"{grid}\na {{{{thing}}}} on a purple background"), "sweep")

    def _single(self) -> None:
        cell = self._start(f"%%gpugen --seed 7 --steps 150\n{PIZZA}")
        cell.locator(WAITING).wait_for()
        self._take(cell, "waiting")
        self._drawn(60)
        self._take(cell, "drawing")
        self._end(cell, "done")

    def _several(self) -> None:
        cell = self._start(f"%%gpugen -n 4 --seed 11 --steps 150\n{FLOWER}")
        self._drawn(60)
        self._take(cell, "grid")
        self._end(cell, "grid-done")

    def _start(self, source: str) -> Locator:
        """Run `source` in the next cell; gives that."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(self._next)
        self._next += 1
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Control+Enter")
        return cell

    def _drawn(self, percent: int) -> None:
        self.page.wait_for_function(DRAWN, arg=percent)

    def _end(self, cell: Locator, state: str) -> None:
        cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for(state="attached")
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        self._take(cell, state)

    def _take(self, cell: Locator, state: str) -> None:
        """From the left edge of the cell's text to the end of its output."""
        top = cell.locator(".jp-InputArea-editor").bounding_box()
        whole = cell.bounding_box()
        if top is None or whole is None:
            raise RuntimeError(f"The cell of {state!r} is not on the page.")
        height = whole["y"] + whole["height"] - top["y"]
        clip = FloatRect(x=top["x"] - 8, y=top["y"] - 4, width=top["width"] + 10, height=height)
        path = self._folder / f"cell-{state}-{self._suffix}.png"
        self.page.screenshot(path=path, clip=clip)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
