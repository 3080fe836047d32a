"""Pictures inside a terminal that can show them: kitty's protocol, or Sixel as in iTerm2, WezTerm, foot."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

_WIDTH = 40  # columns
_PROGRAMS = {"iTerm.app", "WezTerm", "ghostty", "rio"}
_TERMS = ("kitty", "foot", "ghostty", "sixel", "mlterm", "contour")


def show(png: bytes) -> bool:
    """Write the picture to the terminal; whether that could be done. Never raises: there is a file."""
    renderable = _renderable() if sys.stdout.isatty() else None
    if renderable is None:
        return False
    with contextlib.suppress(Exception):
        import PIL.Image
        from rich.console import Console

        with PIL.Image.open(io.BytesIO(png)) as image:
            Console().print(renderable(image, width=_WIDTH, height="auto"))
        return True
    return False


def _may_show(environ: Mapping[str, str]) -> bool:
    """Whether it is worth asking: the answer of a terminal that knows nothing of pictures could eat a key."""
    program, term = environ.get("TERM_PROGRAM", ""), environ.get("TERM", "")
    return program in _PROGRAMS or any(name in term for name in _TERMS)


@cache
def _renderable() -> Any:
    """How this terminal shows pictures; None if it does not. It is asked only once: that writes to it."""
    if not _may_show(os.environ):
        return None
    with contextlib.suppress(Exception):
        from textual_image import renderable

        if renderable.Image in {renderable.TGPImage, renderable.SixelImage}:
            return renderable.Image
    return None
