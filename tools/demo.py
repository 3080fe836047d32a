"""Runs notebooks/quickstart.ipynb with a server of its own and all files under demo/: `make demo`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from gpugen.result import Result
from gpugen_client import private_server
from gpugen_client.access import connect
from gpugen_client.tasks import Tasks
from gpugen_protocol.errors import GpugenError

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
DEMO = ROOT / "demo"
CELL_SECONDS = 600  # the first cell starts a server and a worker and loads torch, maybe on a slow disk


def main(arguments: list[str]) -> int:
    """`--lab` opens the notebook in JupyterLab; else it is executed from top to bottom."""
    return lab() if arguments == ["--lab"] else demo()


def demo() -> int:
    """Execute the notebook; 0 if every cell did what it should."""
    environ = environment(DEMO)
    stop_server(environ)  # of a demo that was cut off
    shutil.rmtree(DEMO, ignore_errors=True)
    prepare(environ)
    os.environ.clear()
    os.environ.update(environ)  # nbclient hands it on to the kernel
    print(f"==> running {NOTEBOOK.relative_to(ROOT)}", flush=True)
    began = time.monotonic()
    try:
        failed = execute(NOTEBOOK, DEMO / NOTEBOOK.name)
        seconds = time.monotonic() - began
        images = save_images(environ, DEMO / "images")
    finally:
        stop_server(environ)
    return report(images, failed, seconds)


def lab() -> int:
    """JupyterLab on a copy of the notebook that is kept from one time to the next."""
    folder = DEMO / "lab"
    environ = environment(folder)
    prepare(environ)
    copy = folder / NOTEBOOK.name
    if not copy.exists():
        shutil.copy(NOTEBOOK, copy)
    command = [str(Path(sys.executable).with_name("gpugen")), "lab", str(copy)]
    try:
        return subprocess.call([*command, *as_root()], env=environ)
    finally:
        stop_server(environ)


def as_root() -> list[str]:
    """What JupyterLab wants to hear before it runs as root; nothing for others."""
    return ["--allow-root"] if os.geteuid() == 0 else []


def environment(folder: Path) -> dict[str, str]:
    """The present environment with every place below `folder`, so that the user's own server, settings and
    home are left alone.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}
    return kept | {
        "GPUGEN_DATA_DIR": str(folder / "data"),
        "GPUGEN_CONFIG": str(folder / "gpugen.toml"),
        "IPYTHONDIR": str(folder / "jupyter" / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter" / "config"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "jupyter" / "runtime"),
    }


def prepare(environ: Mapping[str, str]) -> None:
    """Make the folders of `environ`."""
    for name in ("GPUGEN_DATA_DIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        Path(environ[name]).mkdir(parents=True, exist_ok=True)
    Path(environ["GPUGEN_CONFIG"]).touch()


def execute(source: Path, target: Path) -> str:
    """Run `source` and write what came of it to `target`; gives the first error, or nothing."""
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(target.parent)}},
        on_cell_start=say_cell,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of plain TCP, which here is loopback
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return str(error)
    finally:
        nbformat.write(notebook, target)
    return ""


def say_cell(cell: Any, cell_index: int) -> None:
    """One line for each cell that is run."""
    if cell.cell_type == "code" and cell.source.strip():
        print(f"    {' / '.join(cell.source.strip().splitlines()[:2])[:100]}", flush=True)


def save_images(environ: Mapping[str, str], folder: Path) -> list[Path]:
    """Every image the server has drawn, as files that carry their recipe."""
    try:
        api = Tasks(connect(environ=environ, start=False))
        tasks = reversed(api.list(limit=100).tasks)
        return [path for task in tasks for path in Result(api, task).save(folder)]
    except GpugenError as error:
        print(f"The images cannot be fetched. {error}", file=sys.stderr)
        return []


def stop_server(environ: Mapping[str, str]) -> None:
    """End the private server of `environ`, and with it its worker; none is fine."""
    try:
        private_server.stop(environ)
    except GpugenError as error:
        print(f"The server of the demo could not be ended: {error}", file=sys.stderr)


def report(images: list[Path], failed: str, seconds: float) -> int:
    """Say where things are, and how to go on; gives the exit code."""
    print(f"\nexecuted notebook, in {seconds:.0f} s")
    print(f"    {DEMO / NOTEBOOK.name}")
    print("images")
    for path in images:
        print(f"    {path}")
    if failed:
        print(f"\nA cell failed:\n{failed}", file=sys.stderr)
    elif not images:
        print("\nNo cell failed, but there is no image either.", file=sys.stderr)
    else:
        print(next_steps())
    return 1 if failed or not images else 0


def next_steps() -> str:
    """How to go on in a terminal, where `gpugen` is no command yet and these tasks are not the user's own."""
    activate = shlex.quote(str(Path(sys.executable).with_name("activate")))
    return f"""to go on in this terminal
    . {activate}    # gives you `gpugen`
    gpugen generate "a slice of pizza" --seed 7 -o pizza.png
what the demo has drawn is in a data directory of its own
    export GPUGEN_DATA_DIR={shlex.quote(str(DEMO / "data"))}
    gpugen queue --all
    gpugen lab {shlex.join([str(DEMO / NOTEBOOK.name), *as_root()])}"""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
