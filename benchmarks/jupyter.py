"""What the extension adds to the start of JupyterLab: real starts, by turns with and without it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.lab import jupyterlab

from benchmarks.figures import Figure, median, spread

ROUNDS = 5
_WITHOUT = "--ServerApp.jpserver_extensions={'gpugen_jupyter': False}"
# What loading it takes in a Jupyter Server that has everything else. Without garbage collection: one of all
# that Jupyter has made falls due every now and then, whoever makes the next object.
_LOAD = """
import gc, sys, time
from jupyter_server.serverapp import ServerApp
app = ServerApp()
app.initialize(argv=["--ServerApp.port=0", "--allow-root", sys.argv[1]], new_httpserver=False)
manager = app.extension_manager
assert "gpugen_jupyter" not in sys.modules
gc.disable()
start = time.perf_counter()
manager.add_extension("gpugen_jupyter", enabled=True)
manager.link_extension("gpugen_jupyter")
manager.load_extension("gpugen_jupyter")
print((time.perf_counter() - start) * 1000)
"""


def run() -> list[Figure]:
    """From the process to the moment it listens, and the extension's part of that alone."""
    starts: dict[str, list[float]] = {"": [], _WITHOUT: []}
    _start("")  # what has to be read from the disk is read
    for turn in range(ROUNDS):
        for option in (list(starts), list(reversed(starts)))[turn % 2]:
            starts[option].append(_start(option))
    having, bare = starts.values()
    added = [(one - other) * 1000 for one, other in zip(having, bare, strict=True)]
    loading = [_load() for _ in range(ROUNDS)]
    return [
        Figure("JupyterLab listens, without the extension", median(bare), "s", note=spread(bare)),
        Figure("the extension adds, median of pairs", median(added), "ms", 50.0, spread(added)),
        Figure("loading it, within one process", median(loading), "ms", 50.0, spread(loading)),
    ]


def _start(option: str) -> float:
    """Seconds until JupyterLab listens."""
    with tempfile.TemporaryDirectory(prefix="gg-", ignore_cleanup_errors=True) as name:
        began = time.perf_counter()
        with jupyterlab(Path(name), {}, *filter(None, [option])):
            return time.perf_counter() - began


def _load() -> float:
    """Milliseconds of loading it."""
    with tempfile.TemporaryDirectory(prefix="gg-") as name:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GPUGEN_", "JUPYTER"))}
        places = {f"JUPYTER_{kind}_DIR": name for kind in ("CONFIG", "DATA", "RUNTIME")}
        command = [sys.executable, "-c", _LOAD, _WITHOUT]
        environ = kept | places | {"GPUGEN_DATA_DIR": name}
        return float(subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout)
