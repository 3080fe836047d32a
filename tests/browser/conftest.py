"""A real JupyterLab with its extension, a real browser, and a private gpugen server that stops at the end."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tools.browser import system_browser

ROOT = Path(__file__).parents[2]
PANEL = ROOT / "kernel_ext" / "gpugen_jupyter" / "labextension"
START_SECONDS = 120
PATIENCE_MS = 120_000  # for one thing on the page; the machine may be busy
QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, token, notebook folder, and the data directory of its gpugen."""

    url: str
    token: str
    notebooks: Path
    data: Path

    def address(self, notebook: str = "") -> str:
        """Where the browser finds `notebook`, or the launcher, in a fresh workspace."""
        path = f"tree/{notebook}" if notebook else ""
        return f"{self.url}{path}?reset&token={self.token}"

    def write(self, name: str, *cells: str) -> Path:
        """A new notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        path = self.notebooks / name
        nbformat.write(notebook, path)
        return path


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for `condition`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def lab_environment() -> dict[str, str]:
    """What a module adds to JupyterLab's environment."""
    return {}


@pytest.fixture(scope="module")
def lab(lab_environment: dict[str, str]) -> Iterator[Lab]:
    """JupyterLab as a user would start it, but with every file of it in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="gg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environ = environment(folder) | lab_environment
        token = secrets.token_hex(16)
        (folder / "notebooks").mkdir()
        with (folder / "lab.log").open("wb") as log:
            process = subprocess.Popen(
                command(token), cwd=folder / "notebooks", env=environ, stdout=log, stderr=log
            )
        try:
            url = address_of(process, folder)
            yield Lab(url, token, folder / "notebooks", folder / "data")
        finally:
            process.terminate()
            process.wait(30)
            stop_server(folder / "data")


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's: settings, kernels and data lie in `folder`; no news pop-up in the pictures."""
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
    places = {
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
    panel = folder / "tree" / "labextensions" / "@gpugen"
    panel.mkdir(parents=True)
    (panel / "lab").symlink_to(PANEL)  # this tree's, whatever is installed
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GPUGEN_", "JUPYTER"))}
    return kept | {name: str(folder / place) for name, place in places.items()}


def command(token: str) -> list[str]:
    root = ["--allow-root"] if os.geteuid() == 0 else []
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0"),
        *(f"--IdentityProvider.token={token}", "--LabApp.extension_manager=readonly", *root),
        "--LabApp.expose_app_in_browser=True",
    ]


def address_of(process: subprocess.Popen[bytes], folder: Path) -> str:
    """The address from the file that a Jupyter server writes once it listens."""
    runtime = folder / "runtime"
    found: list[Path] = []

    def started() -> bool:
        assert process.poll() is None, (folder / "lab.log").read_text(encoding="utf-8")
        found[:] = runtime.glob("jpserver-*.json")
        return bool(found) and found[0].stat().st_size > 0

    until(started, START_SECONDS, "JupyterLab starts")
    return f"{json.loads(found[0].read_text(encoding='utf-8'))['url']}lab/".replace("lab/lab/", "lab/")


def stop_server(data: Path) -> None:
    """End the private gpugen server; worker and valkey go with it."""
    runtime = data / "server.json"
    if runtime.exists():
        process = psutil.Process(json.loads(runtime.read_text(encoding="utf-8"))["pid"])
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: the system's, else the one Playwright fetched."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=system_browser(), chromium_sandbox=os.geteuid() != 0, args=QUIET
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A fresh profile on a sharp screen; its last moment is kept as a picture in the test's folder."""
    context = browser.new_context(viewport={"width": 1180, "height": 760}, device_scale_factor=2)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    page.screenshot(path=tmp_path / "last.png")
    context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: GPUGEN_TEST_PICTURES, or a temporary folder."""
    named = os.environ.get("GPUGEN_TEST_PICTURES")
    return Path(named) if named else tmp_path_factory.mktemp("pictures")
