"""Writes deploy/requirements-*.txt, what the images install: exact versions with their hashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = {"server": ("server", "postgres", "gcp"), "worker": ("worker",)}
OPTIONS = (
    *("--constraint", "constraints.txt"),
    *("--python-version", "3.11.9", "--python-platform", "x86_64-manylinux_2_28"),
    *("--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"),
)


def write(name: str, extras: tuple[str, ...]) -> None:
    """The file of image `name`, by uv."""
    target = f"deploy/requirements-{name}.txt"
    wanted = [part for extra in extras for part in ("--extra", extra)]
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *wanted, *OPTIONS, "--quiet"]
    subprocess.run([*command, "--output-file", target], cwd=ROOT, check=True)
    print(f"wrote {target}")


if __name__ == "__main__":
    for image, extras in EXTRAS.items():
        write(image, extras)
