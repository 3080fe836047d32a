"""Notebooks in real kernels, run as papermill and nbconvert run them; and IPython shells in this process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from traitlets.config import Config


@pytest.fixture
def kernel_env(server: Any, tmp_path: Path) -> dict[str, str]:
    """The environment of a kernel that uses `server` and nothing of this user's."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GPUGEN_", "JUPYTER_"))}
    return {
        **env,
        "GPUGEN_URL": server.url,
        "GPUGEN_TOKEN": server.user_token,
        "GPUGEN_DATA_DIR": str(tmp_path / "user"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }


class Notebook:
    """A notebook whose first cell is `%load_ext gpugen`.

    Attributes:
        error: what ended it before its last cell, if anything did.
    """

    def __init__(self, sources: tuple[str, ...], env: dict[str, str], folder: Path) -> None:
        cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext gpugen", *sources)]
        self.nb = nbformat.v4.new_notebook(cells=cells)
        self.env = env
        self.error: Exception | None = None
        self._client = NotebookClient(
            self.nb, kernel_name="python3", timeout=60, resources={"metadata": {"path": str(folder)}}
        )

    def run(self) -> Notebook:
        """Run it to its end, in a kernel of its own."""
        try:
            asyncio.run(self._client.async_execute(env=self.env))
        except Exception as error:
            self.error = error
        return self

    def interrupt(self) -> None:
        """What the stop button does, while `run` goes on in another thread."""
        os.kill(self._client.km.provisioner.pid, signal.SIGINT)

    @property
    def cells(self) -> list[Any]:
        """The cells after `%load_ext gpugen`."""
        return list(self.nb.cells[1:])

    def data(self, cell: int, mime: str) -> list[Any]:
        """The outputs of a cell in the form `mime`."""
        return [out["data"][mime] for out in self.cells[cell].outputs if mime in out.get("data", {})]

    def text(self, cell: int) -> str:
        """All text of a cell: streams, plain text, errors."""
        return "\n".join(
            out.get("text") or out.get("data", {}).get("text/plain") or "\n".join(out.get("traceback", ()))
            for out in self.cells[cell].outputs
        )


@pytest.fixture
def notebook(kernel_env: dict[str, str], tmp_path: Path) -> Callable[..., Notebook]:
    """`notebook(*sources, env={})`: a notebook with those cells, not run yet; `env` adds to its kernel's."""
    folder = tmp_path / "notebook"
    folder.mkdir()

    def make(*sources: str, env: dict[str, str] | None = None) -> Notebook:
        return Notebook(sources, {**kernel_env, **(env or {})}, folder)

    return make


@pytest.fixture
def in_background() -> Iterator[Callable[[Callable[[], Any]], threading.Thread]]:
    """Run a function in a thread; the test joins it at its end."""
    threads: list[threading.Thread] = []

    def start(function: Callable[[], Any]) -> threading.Thread:
        threads.append(threading.Thread(target=function, daemon=True))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(30)


@pytest.fixture
def free_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """IPython without a kernel, in a folder of its own; `.display_pub.outputs` is what was displayed."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    config = Config()
    config.HistoryManager.enabled = False
    found = InteractiveShell.instance(config=config)
    found.display_pub = CapturingDisplayPublisher(shell=found)
    yield found
    found.reset(new_session=False)
    InteractiveShell.clear_instance()


@pytest.fixture
def gpugen_shell(
    shell: InteractiveShell, server: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InteractiveShell]:
    """The same with gpugen loaded, for `server`."""
    monkeypatch.setenv("GPUGEN_URL", server.url)
    monkeypatch.setenv("GPUGEN_TOKEN", server.user_token)
    shell.extension_manager.load_extension("gpugen")
    yield shell
    shell.extension_manager.unload_extension("gpugen")
