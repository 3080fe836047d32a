"""When a notebook on the page has its kernel."""

from playwright.sync_api import Page

_HAS_KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel != null"


def wait_for_kernel(page: Page) -> None:
    """Busy or not; a cell that is run before makes Jupyter ask which kernel it should be."""
    page.wait_for_function(_HAS_KERNEL)
