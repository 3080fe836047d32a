"""Where `gpugen` saves images: one file, or new files in a folder; checked before anything is drawn."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gpugen.result import Result
from gpugen.save import write_over
from gpugen_protocol.errors import InvalidRequest, SaveFailed


@dataclass(frozen=True)
class Target:
    """A `file` that is written anew, or else a `folder` that gets new files beside those it has."""

    folder: Path
    file: Path | None = None

    @classmethod
    def of(cls, out: Path | None, n: int) -> Target:
        """What `-o OUT` means for `n` images: a name ending in .png is a file, any other a folder.

        Raises:
            InvalidRequest: it is neither, or cannot be written.
        """
        target = cls._named(Path() if out is None else out.expanduser(), n)
        _check_writable(target.folder)
        return target

    @classmethod
    def _named(cls, out: Path, n: int) -> Target:
        if out.is_dir() or not out.suffix:
            return cls(out)
        if out.suffix.lower() != ".png":
            raise InvalidRequest(
                f"Images are saved as PNG, not {out.suffix}.", hint=f"Try -o {out.with_suffix('.png')}."
            )
        if n > 1:
            raise InvalidRequest(
                f"{n} images do not fit in one file; with -n {n}, -o names a folder.",
                hint=f"Try -o {out.stem}.",
            )
        return cls(out.parent, out)

    def save(self, result: Result) -> list[Path]:
        """Write the images; raises SaveFailed with how to get them all the same."""
        try:
            if self.file is not None:
                return [write_over(self.file, result.png())]
            return result.save(self.folder)
        except SaveFailed as error:
            error.hint = f"{error.hint} `gpugen images {result.task.id} -o DIR` fetches them again."
            raise


def _check_writable(folder: Path) -> None:
    """Refuse now what would fail after a long drawing."""
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with contextlib.closing(tempfile.TemporaryFile(dir=place)):
            return
    except OSError as error:
        reason = "it is not a folder" if not place.is_dir() else os.strerror(error.errno or 0)
        raise InvalidRequest(
            f"Images cannot be saved in {place}: {reason}.", hint="Choose another place with -o."
        ) from None
