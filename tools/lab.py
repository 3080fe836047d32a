"""A JupyterLab of this work tree for programs that drive a browser, with nothing of the user's in it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, sync_playwright

from tools.browser import system_browser

PANEL = Path(__file__).parents[1] / "kernel_ext" / "gpugen_jupyter" / "labextension"
START_SECONDS = 120.0
_DIRECTORIES = {
    "HOME": "home",
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "jupyter",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
}


@dataclass(frozen=True)
class Lab:
    """One that runs: its base address, its token, the folder of its notebooks."""

    url: str
    token: str
    notebooks: Path

    def address(self, notebook: str = "") -> str:
        """Where a browser finds `notebook`, or the launcher, in a fresh workspace."""
        path = f"tree/{notebook}" if notebook else ""
        return f"{self.url}lab/{path}?reset&token={self.token}"

    def write(self, name: str, *cells: str) -> str:
        """A new notebook with these code cells; gives its name."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, self.notebooks / name)
        return name


@contextmanager
def jupyterlab(folder: Path, environ: Mapping[str, str], *options: str) -> Iterator[Lab]:
    """JupyterLab with all its files in `folder`, `environ` beside what it needs, and more `options`.

    Raises:
        TimeoutError: it did not start; the message is its log.
    """
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0", *options]
    command += [f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.extension_manager=readonly", *(["--allow-root"] if os.geteuid() == 0 else [])]
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=notebooks, env=_environ(folder) | dict(environ), stdout=log, stderr=log
        )
    try:
        yield Lab(_url(folder), token, notebooks)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's, else the one Playwright fetched."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=system_browser(), chromium_sandbox=os.geteuid() != 0, args=["--disable-gpu"]
        )
        yield browser
        browser.close()


def _environ(folder: Path) -> dict[str, str]:
    """No news pop-up; the panel of this tree, whatever is installed."""
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
    panel = folder / "tree" / "labextensions" / "@gpugen"
    panel.mkdir(parents=True)
    (panel / "lab").symlink_to(PANEL)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GPUGEN_", "JUPYTER"))}
    places = {name: str(folder / place) for name, place in _DIRECTORIES.items()}
    return kept | places | {"JUPYTER_PATH": str(folder / "tree")}


def _url(folder: Path) -> str:
    """From the file that a Jupyter server writes once it listens."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for found in (folder / "runtime").glob("jpserver-*.json"):
            if text := found.read_text(encoding="utf-8"):
                return str(json.loads(text)["url"])
        time.sleep(0.05)
    raise TimeoutError((folder / "lab.log").read_text(encoding="utf-8"))
