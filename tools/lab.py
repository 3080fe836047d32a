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
from tools.demo import stop_server

PANEL = Path(__file__).parents[1] / "kernel_ext" / "gpugen_jupyter" / "labextension"
START_SECONDS = 120.0
_PLACES = {
    "GPUGEN_CONFIG": "gpugen.toml",
    "GPUGEN_DATA_DIR": "data",
    "HOME": "home",
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "jupyter",
    "JUPYTER_PATH": "tree",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
}
_QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Lab:
    """One that runs: its base address, its token, and where all its files are."""

    url: str
    token: str
    folder: Path

    @property
    def notebooks(self) -> Path:
        """The folder that its file browser shows."""
        return self.folder / "notebooks"

    @property
    def data(self) -> Path:
        """The data directory of its gpugen."""
        return self.folder / "data"

    def address(self, notebook: str = "") -> str:
        """Where a browser finds `notebook`, or the launcher, in a fresh workspace."""
        path = f"tree/{notebook}" if notebook else ""
        return f"{self.url}lab/{path}?reset&token={self.token}"

    def write(self, name: str, *cells: str) -> Path:
        """A new notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.metadata["kernelspec"] = kernel
        nbformat.write(notebook, self.notebooks / name)
        return self.notebooks / name


@contextmanager
def jupyterlab(folder: Path, environ: Mapping[str, str], *options: str) -> Iterator[Lab]:
    """JupyterLab with all its files in the empty `folder`, `environ` over what it needs, and more `options`.

    If it starts a private gpugen server, that ends with it.

    Raises:
        RuntimeError: it did not start; the message is its log.
    """
    _lay_out(folder)
    environ = _environ(folder) | dict(environ)
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0", *options]
    command += [f"--IdentityProvider.token={token}"]
    command += [f"--{app}.expose_app_in_browser=True" for app in ("LabApp", "JupyterNotebookApp")]
    command += ["--LabApp.extension_manager=readonly", *(["--allow-root"] if os.geteuid() == 0 else [])]
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder / "notebooks", env=environ, stdout=log, stderr=log)
    try:
        yield Lab(_url(process, folder), token, folder)
    finally:
        process.terminate()
        process.wait(30)
        stop_server(environ)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's, else the one Playwright fetched."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=system_browser(), chromium_sandbox=os.geteuid() != 0, args=_QUIET
        )
        yield browser
        browser.close()


def _lay_out(folder: Path) -> None:
    """No news pop-up; the panel of this tree, whatever is installed."""
    (folder / "notebooks").mkdir()
    (folder / "gpugen.toml").touch()
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
    link_panel(folder / "tree")


def link_panel(tree: Path) -> None:
    """Make `tree` a folder for JUPYTER_PATH that has this work tree's panel."""
    place = tree / "labextensions" / "@gpugen"
    place.mkdir(parents=True)
    (place / "lab").symlink_to(PANEL)


def _environ(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GPUGEN_", "JUPYTER"))}
    return kept | {name: str(folder / place) for name, place in _PLACES.items()}


def _url(process: subprocess.Popen[bytes], folder: Path) -> str:
    """The base address, from the file that a Jupyter server writes once it listens."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        for found in (folder / "runtime").glob("jpserver-*.json"):
            if text := found.read_text(encoding="utf-8"):
                return str(json.loads(text)["url"]).removesuffix("lab/")
        time.sleep(0.05)
    raise RuntimeError((folder / "lab.log").read_text(encoding="utf-8"))
