"""Where pictures and names come from, as options of a command."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import cldr, glyphs


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--font` and `--cldr`, Debian's places by default."""
    parser.add_argument("--font", type=Path, default=glyphs.FONT, help="Noto Color Emoji")
    parser.add_argument("--cldr", type=Path, default=cldr.ANNOTATIONS, help="annotations/en.xml of CLDR")
