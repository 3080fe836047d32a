"""A real JupyterLab on a free port, and a real Chromium looking at it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import requests
from tests.waiting import wait_for
from tools.browser import system_browser

TOKEN = "for-this-test-only"
_FOLDERS = ("config", "data", "runtime", "settings", "workspaces", "ipython", "notebooks")
_PATIENCE = 120_000  # milliseconds: a cold browser on a busy machine
_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def jupyter_lab(
    root: Path,
    cells: list[str],
    environ: dict[str, str],
    theme: str = "Light",
) -> Iterator[str]:
    """The address of a notebook with `cells` in a JupyterLab that knows nothing of this user."""
    _prepare(root, cells, theme)
    env = {**os.environ, **environ, **_places(root)}
    command = (
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--allow-root"),
        *(f"--ServerApp.token={TOKEN}", f"--ServerApp.root_dir={root / 'notebooks'}"),
        "--LabApp.extension_manager=readonly",
    )
    with (root / "lab.log").open("w") as log:
        lab = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        url = wait_for(lambda: _url(root), 120)
        wait_for(lambda: _answers(url), 120)
        yield f"{url}lab/tree/cells.ipynb?token={TOKEN}"
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.wait(30)


@contextmanager
def chromium_page(width: int = 1000, height: int = 1200, scale: float = 1.0) -> Iterator[Any]:
    """A page in a browser of its own; whatever it logs as an error is in `page.errors`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=system_browser(),
            chromium_sandbox=os.geteuid() != 0,
            args=list(_FLAGS),
        )
        page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
        page.set_default_timeout(_PATIENCE)
        page.errors = []  # type: ignore[attr-defined]
        page.on("console", lambda said: page.errors.append(said.text) if said.type == "error" else None)  # type: ignore[attr-defined]
        yield page
        browser.close()


class LabNotebook:
    """The notebook that is open in `page`."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        page.goto(url)
        self.wait_idle()

    def cell(self, index: int) -> Any:
        """A cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Any:
        """The outputs of a cell."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def start(self, index: int) -> None:
        """Run a cell and do not wait for it."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def wait_idle(self) -> None:
        """The status bar knows better than the notebook's own sign."""
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()

    def save(self) -> None:
        """Save, and wait until it is saved."""
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        self.page.locator(".jp-mod-dirty").wait_for(state="detached")


def _prepare(root: Path, cells: list[str], theme: str) -> None:
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True)
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nb.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
    }
    nbformat.write(nb, root / "notebooks" / "cells.ipynb")
    settings = root / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": f"JupyterLab {theme}"}))


def _places(root: Path) -> dict[str, str]:
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return {name: str(root / folder) for name, folder in names.items()}


def _url(root: Path) -> str | None:
    for path in (root / "runtime").glob("jpserver-*.json"):
        text = path.read_text()
        if text:
            return f"http://127.0.0.1:{json.loads(text)['port']}/"
    return None


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}api?token={TOKEN}", timeout=5).ok
    except requests.ConnectionError:
        return False
