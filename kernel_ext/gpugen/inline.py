"""Pictures inside a terminal that can show them: kitty's protocol, or Sixel as in iTerm2, WezTerm, foot."""

from __future__ import annotations

import contextlib
import io
import sys
from functools import cache
from typing import Any

_WIDTH = 40  # columns


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


@cache
def _renderable() -> Any:
    """How this terminal shows pictures; None if it does not. It is asked only once: that writes to it."""
    with contextlib.suppress(Exception):
        from textual_image import renderable

        if renderable.Image in {renderable.TGPImage, renderable.SixelImage}:
            return renderable.Image
    return None
