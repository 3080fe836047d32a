"""The notebook magic: messages of its widgets, how soon a finished image is shown, the size of 50 cells."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from benchmarks.figures import Figure, percentile
from benchmarks.processes import server, worker
from gpugen.client import Client
from gpugen.submission import Submission
from gpugen_protocol.events import ImageEvent

CELLS = 50
SHOTS = 15


def run() -> list[Figure]:
    """One real server and worker with the bundled model; notebooks in real kernels, as nbclient runs them."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        return _measure(Path(name))


def _measure(folder: Path) -> list[Figure]:
    with server(folder) as running, worker(running, folder):
        kernel = {"GPUGEN_URL": running.url, "GPUGEN_TOKEN": running.user_token}
        with Client(running.url, kernel["GPUGEN_TOKEN"]) as client:
            client.generate("a cup", steps=1)  # the model is loaded
            shown = [_until_shown(client) for _ in range(SHOTS)]
        traffic = _messages_a_second(kernel, folder)
        return [
            Figure("image stored -> handed to the view, p50", statistics.median(shown) * 1e3, "ms", 150.0),
            Figure("the same, p95", percentile(shown, 0.95) * 1e3, "ms"),
            Figure("widget messages in the busiest second", traffic, "1/s", 10.0),
            Figure(f"notebook of {CELLS} cells, 128 px", _megabytes(kernel, folder), "MB", 10.0),
        ]


class _Stopwatch:
    """A view that notes when it was given the image."""

    def __init__(self) -> None:
        self.at = 0.0

    def open(self, status: Any, *, waits: bool) -> None: ...

    def draw(self, status: Any) -> None:
        if not self.at and status.picture(0) is not None and status.is_final(0):
            self.at = time.time()

    def finish(self, ending: Any) -> None:
        self.at = self.at or time.time()


def _until_shown(client: Client) -> float:
    task = client.submit("a slice of pizza", steps=4)
    view = _Stopwatch()
    Submission(client, task, view, threading.Event()).follow()
    (stored,) = [each.at for each in client.api.events(task.id).events if isinstance(each, ImageEvent)]
    return view.at - _seconds(stored)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _messages_a_second(environ: dict[str, str], folder: Path) -> float:
    """Of one cell that draws for a while: comm messages, counted by the second they arrive in."""
    seen: Counter[int] = Counter()

    class Counting(NotebookClient):  # type: ignore[misc]  # not typed
        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] == "comm_msg":
                seen[int(time.monotonic())] += 1
            return super().process_message(msg, cell, cell_index)

    _execute(["%%gpugen --steps 150 -n 2\na slice of pizza"], environ, folder, Counting)
    return float(max(seen.values()))


def _megabytes(environ: dict[str, str], folder: Path) -> float:
    sources = [f"%%gpugen --seed {seed}\na slice of pizza" for seed in range(CELLS)]
    return len(json.dumps(_execute(sources, environ, folder, NotebookClient))) / 1e6


def _execute(sources: list[str], environ: dict[str, str], folder: Path, client: Any) -> Any:
    cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext gpugen", *sources)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(folder)}}
    runner = client(notebook, kernel_name="python3", timeout=120, resources=resources)
    asyncio.run(runner.async_execute(env={**os.environ, **environ}))
    return notebook
