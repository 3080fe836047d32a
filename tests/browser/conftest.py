"""A real JupyterLab with its extension, a real browser, and a private gpugen server that stops at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tools.lab import Lab, chromium, jupyterlab

PATIENCE_MS = 120_000  # for one thing on the page; the machine may be busy

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def lab_environment() -> dict[str, str]:
    """What a module adds to JupyterLab's environment."""
    return {}


@pytest.fixture(scope="module")
def lab(lab_environment: dict[str, str]) -> Iterator[Lab]:
    """JupyterLab as a user would start it, but with every file of it in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="gg-", ignore_cleanup_errors=True) as folder,
        jupyterlab(Path(folder), lab_environment) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


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
