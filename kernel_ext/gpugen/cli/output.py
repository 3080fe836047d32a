"""What commands write to stdout: one JSON document, or a table."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from gpugen_protocol import wire

# Control characters and those that turn the direction of writing: a worker's words must not steer a terminal.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """`text` without anything that a terminal would obey."""
    return _UNSAFE.sub("", text)


def print_json(value: Any) -> None:
    """`value` (structs, dicts, lists) as the one JSON document of this run."""
    import msgspec

    click.echo(msgspec.json.format(wire.encode(value)).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table on a terminal, aligned columns elsewhere; `empty` says that there is nothing."""
    cells = [["" if cell is None else clean(str(cell)) for cell in row] for row in rows]
    if not cells:
        click.echo(empty, err=True)
    elif sys.stdout.isatty():
        _print_rich(columns, cells)
    else:
        _print_plain(columns, cells)


def _print_rich(columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)


def _print_plain(columns: Sequence[str], cells: list[list[str]]) -> None:
    lines = [[column.upper() for column in columns], *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
