"""Keeps image files in a folder. Blocking: runs in a thread.

A file is written under a name that no other attempt uses and becomes visible by an atomic rename; which
file is an image of a task is decided by the database alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path

from gpugen_protocol.errors import NotFound, StorageFull, Unavailable
from gpugen_server.images import names
from gpugen_server.images.storage import SETTLED_SECONDS, Quarantine

_WRITTEN = 60.0  # seconds after which a file that is still a part will not be written to its end
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Directory:
    """The image store of `file:///...`."""

    quarantine: Quarantine | None = None

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Make the folder, and drop what an interrupted write left.

        Raises:
            Unavailable: the folder cannot be made or written to.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Unavailable(f"The image folder {self.root} cannot be made: {error.strerror}.") from None
        self.check()
        before = time.time() - _WRITTEN  # another server may be writing here
        for left in self.root.glob("*/*.part"):
            with contextlib.suppress(FileNotFoundError):
                if left.stat().st_mtime < before:
                    left.unlink()

    def check(self) -> None:
        """Raises Unavailable if nothing can be written here."""
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise Unavailable(f"The image folder {self.root} cannot be written to.")

    def write(self, task: str, index: int, attempt: int, png: bytes) -> str:
        """Keep `png`, safe against power loss; gives its name in this store.

        Raises:
            StorageFull: the disk is full; nothing is left behind.
            Unavailable: the disk refuses.
        """
        name = names.fresh(task, index, attempt)
        final = self._path(name)
        part = final.with_suffix(".part")
        try:
            final.parent.mkdir(exist_ok=True, mode=0o700)
            _write_through(part, png)
            part.rename(final)
            _sync_folder(final.parent)
        except OSError as error:
            for left in (part, final):
                with contextlib.suppress(OSError):
                    left.unlink(missing_ok=True)
            if error.errno in _FULL:
                raise StorageFull(hint="Free space on the server's disk; the image was not kept.") from None
            raise Unavailable(f"The image cannot be stored: {error.strerror}.", retry_after=5.0) from None
        return name

    def read(self, name: str) -> bytes:
        """The bytes kept under `name`.

        Raises:
            NotFound: the file is gone.
        """
        try:
            return self._path(name).read_bytes()
        except OSError:
            raise NotFound("The file of this image is gone from the server's image folder.") from None

    def link(self, name: str) -> str | None:
        """None: files are read through the server alone."""
        return None

    def remove(self, names: list[str]) -> list[str]:
        """Drop files, and give those that refuse; that one is gone already does not matter."""
        return [name for name in names if not self._dropped(name)]

    def _dropped(self, name: str) -> bool:
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def folders(self) -> list[str]:
        """The folders in this store; each holds tasks whose ids begin with its name."""
        return sorted(path.name for path in self.root.iterdir() if path.is_dir())

    def settled(self, folder: str) -> list[str]:
        """The files in `folder` that nobody is still about to make an image of a task."""
        before = time.time() - SETTLED_SECONDS
        files = [path for path in (self.root / folder).iterdir() if path.stat().st_mtime < before]
        return [name for path in files if names.is_name(name := f"{folder}/{path.name}")]

    def _path(self, name: str) -> Path:
        return self.root / names.checked(name)


def _write_through(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
