"""Weights from the disk into the system's memory while the libraries are still being imported.

A cold start is an import, which keeps the processor busy, and then a load, which on a fresh machine waits for
the disk. Files that were read a moment ago are read again from memory.
"""

from __future__ import annotations

from pathlib import Path

from gpugen_protocol.models import Model
from gpugen_worker.choice import present_folder
from gpugen_worker.log import log

_PIECE = 2**20  # bytes


def read_ahead(model: Model) -> int:
    """Read the weights of `model` once and forget them; gives how many bytes they are.

    Nothing is downloaded. What cannot be read here is told by who loads it.
    """
    try:
        folder = present_folder(model)
        return sum(map(_read, sorted(folder.glob("*/*.safetensors")))) if folder else 0
    except OSError as error:
        log.debug("The weights of %s are not read ahead: %s", model.name, error)
        return 0


def _read(path: Path) -> int:
    piece, found = bytearray(_PIECE), 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            found += count
    return found
