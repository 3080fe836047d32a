"""What commands write to stdout: one JSON document, or a table."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from gpugen.harmless import line
from gpugen_protocol import wire


def print_json(value: Any) -> None:
    """`value` (structs, dicts, lists) as the one JSON document of this run."""
    import msgspec

    click.echo(msgspec.json.format(wire.encode(value)).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table on a terminal, aligned columns elsewhere; `empty` says that there is nothing."""
    cells = [["" if cell is None else line(str(cell)) for cell in row] for row in rows]
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
    rows = [[column.upper() for column in columns], *cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
