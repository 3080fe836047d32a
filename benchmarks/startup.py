"""Start-up times and the idle server's memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.figures import Figure, median, spread
from benchmarks.processes import server

ROUNDS = 7
_LOAD_EXT = """
import time
from IPython.core.interactiveshell import InteractiveShell
import ipywidgets
shell = InteractiveShell.instance()
start = time.perf_counter()
shell.run_line_magic("load_ext", "gpugen")
print(time.perf_counter() - start)
"""


def run() -> list[Figure]:
    """Whole processes by turns with an empty interpreter, whose time is subtracted from the imports."""
    commands = {
        "empty": [sys.executable, "-c", "pass"],
        "import gpugen": [sys.executable, "-c", "import gpugen"],
        "import gpugen_server": [sys.executable, "-c", "import gpugen_server.app"],
        "gpugen --help": [str(Path(sys.executable).with_name("gpugen")), "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(_seconds(command))
    extension = [float(_output([sys.executable, "-c", _LOAD_EXT])) for _ in range(ROUNDS)]
    empty = median(times["empty"])
    return [
        Figure(
            "import gpugen, beyond an empty interpreter", median(times["import gpugen"]) - empty, "s", 0.5
        ),
        Figure("import gpugen_server.app, same", median(times["import gpugen_server"]) - empty, "s"),
        Figure("gpugen --help, whole process", median(times["gpugen --help"]), "s", 0.5),
        Figure("%load_ext gpugen", median(extension), "s", 0.3, spread(extension)),
        Figure("server, idle, resident memory", _idle_memory(), "MB", 80.0),
    ]


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]


def _idle_memory() -> float:
    with tempfile.TemporaryDirectory(prefix="gg-") as name, server(Path(name)) as running:
        time.sleep(3)  # idle is the thing measured
        return psutil.Process(running.pid).memory_info().rss / 1e6
