"""Writing an image to disk: whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from gpugen_protocol.errors import SaveFailed

_MAX_NAME = 60  # characters of a prompt in a file's name


def file_stem(prompt: str, seed: int) -> str:
    """A name that people recognise, as in `a-slice-of-pizza-7`."""
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_NAME].rstrip("-")
    return f"{words or 'image'}-{seed}"


def write_new(folder: Path, stem: str, data: bytes) -> Path:
    """Write `data` to a new file `stem.png`, or `stem-2.png` and so on: no other file is ever touched.

    Raises:
        SaveFailed: the disk is full, the folder cannot be written, ...; no part of the file is left.
    """
    with _saving(folder), _temporary(folder, data) as temporary:
        for number in itertools.count(1):
            path = folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
            with contextlib.suppress(FileExistsError):
                _claim(temporary, path)
                return path
    raise AssertionError("unreachable")


def write_over(path: Path, data: bytes) -> Path:
    """Write `data` to `path`; a file that was there before is replaced in one move. Raises as `write_new`."""
    target = path.resolve()  # of a link, what it points to
    if target.exists() and not target.is_file():
        raise SaveFailed(f"{path} is there and is not a plain file.", hint="Choose another name.")
    with _saving(path), _temporary(target.parent, data) as temporary:
        temporary.replace(target)
    return path


@contextlib.contextmanager
def _saving(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise SaveFailed(
            f"Nothing could be saved to {place}: {reason}.",
            hint="The images are kept on the server; free some space, or choose another place.",
        ) from None


@contextlib.contextmanager
def _temporary(folder: Path, data: bytes) -> Iterator[Path]:
    """`data` in a file of its own in `folder`, gone afterwards unless it was moved."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".gpugen-{secrets.token_hex(8)}.part"
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def _claim(temporary: Path, path: Path) -> None:
    """Give `temporary` the name `path`; FileExistsError if that is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        temporary.replace(path)
