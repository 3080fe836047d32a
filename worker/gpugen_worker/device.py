"""What this machine draws on, told without importing torch: the server wants to know before that is done."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import psutil
from msgspec import Struct

LIBRARIES = ("torch", "diffusers", "transformers")


class Device(Struct, frozen=True):
    """A name for people and the memory that models can use, in bytes."""

    name: str
    memory_bytes: int


def describe_device() -> Device:
    """The first NVIDIA GPU, the Apple GPU, or the CPU."""
    return _nvidia() or _apple() or _cpu()


def library_versions() -> dict[str, str]:
    """The versions of what decides how a picture turns out; absent ones are left out."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _nvidia() -> Device | None:  # not tried: needs an NVIDIA driver
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
        name, mebibytes = answer.splitlines()[0].rsplit(",", 1)
        return Device(name.strip(), int(mebibytes) * 2**20)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _apple() -> Device | None:  # not tried: needs a Mac
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Device("Apple GPU", psutil.virtual_memory().total)
    return None


def _cpu() -> Device:
    return Device(f"CPU, {psutil.cpu_count() or 1} threads", psutil.virtual_memory().total)
