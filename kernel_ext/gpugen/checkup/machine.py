"""A look at this machine: Python, packages, the data directory, the files with settings."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from gpugen.checkup.finding import Environ, Finding, fail, ok, warn
from gpugen_client.named import is_named
from gpugen_protocol import __version__, models, places
from gpugen_protocol.errors import Misconfigured

EXTRAS = {
    "server": ("tornado", "peewee", "redis", "structlog", "pillow"),
    "worker": ("torch", "diffusers", "transformers", "accelerate", "safetensors"),
    "notebook": ("ipython", "ipykernel", "ipywidgets", "jupyter_server", "pillow"),
    "lab": ("jupyterlab",),
}
LITTLE_SPACE = 1_000_000_000  # bytes
NO_SPACE = 50_000_000


def python(_environ: Environ) -> Finding:
    """Which Python on which system."""
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, in {sys.prefix}"
    if sys.platform == "win32":
        return warn(
            "python",
            text,
            "Client, magic and worker work on Windows; a server there needs GPUGEN_REDIS_URL.",
        )
    return ok("python", text)


def packages(environ: Environ) -> Finding:
    """Which extras are complete."""
    missing = {extra: [name for name in names if not _version(name)] for extra, names in EXTRAS.items()}
    complete = [extra for extra, names in missing.items() if not names]
    text = f"gpugen {__version__}, complete: {', '.join(complete) or 'the client alone'}"
    gaps = {extra: names for extra, names in missing.items() if names}
    if not gaps:
        return ok("packages", text)
    text += "; " + "; ".join(f"{extra} lacks {', '.join(names)}" for extra, names in gaps.items())
    needed = [extra for extra in ("server", "worker") if extra in gaps]
    if needed and not is_named(environ):
        return fail(
            "packages",
            text,
            f"pip install 'gpugen[{','.join(needed)}]' to draw on this machine, or set GPUGEN_URL.",
        )
    return warn("packages", text, f"If you need it: pip install 'gpugen[{','.join(gaps)}]'")


def data_directory(environ: Environ) -> Finding:
    """Whether tasks and images can be kept."""
    data = places.data_dir(environ).absolute()
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return fail("data directory", f"{data} cannot be written to", "Name another in GPUGEN_DATA_DIR.")
    kind = places.file_system(
        there.resolve(), [(mount.mountpoint, mount.fstype) for mount in psutil.disk_partitions(all=True)]
    )
    if kind in places.NETWORK_FILE_SYSTEMS:
        return fail(
            "data directory",
            f"{data} is on a network file system ({kind}), where SQLite loses data",
            "Name a folder on a local disk in GPUGEN_DATA_DIR.",
        )
    return _space(data, there)


def settings_files(environ: Environ) -> Finding:
    """Whether the config file and the model registry can be read."""
    path = places.config_file(environ)
    if environ.get("GPUGEN_CONFIG") and not path.is_file():
        return fail("settings", f"GPUGEN_CONFIG names {path}, which is not a file", "Correct or unset it.")
    files = [file for file in dict.fromkeys(places.registry_files(environ)) if file.is_file()]
    try:
        registry = models.parse_registry({str(file): file.read_text(encoding="utf-8") for file in files})
    except (Misconfigured, OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return fail("settings", str(error), f"Correct {' or '.join(map(str, files))}.")
    origin = f" with {', '.join(map(str, files))}" if files else ""
    return ok("settings", f"{len(registry.models)} models{origin}; the default is {registry.default}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _space(data: Path, there: Path) -> Finding:
    free = shutil.disk_usage(there).free
    text = f"{data}, {free / 1e9:.1f} GB free" + ("" if data == there else ", made when needed")
    if free < NO_SPACE:
        return fail("data directory", text, "Free some space, or name another disk in GPUGEN_DATA_DIR.")
    if free < LITTLE_SPACE:
        return warn("data directory", text, "Images and models will soon fill it.")
    return ok("data directory", text)
