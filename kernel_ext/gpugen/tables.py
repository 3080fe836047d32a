"""A table as the output of a cell: HTML where it can be shown, aligned text elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from IPython.display import display

from gpugen.harmless import line

_CELL = "text-align: left; padding: 2px 14px 2px 0; font-variant-numeric: tabular-nums"


def show(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Display a table; `empty` says that there is nothing."""
    cells = [["" if cell is None else line(str(cell)) for cell in row] for row in rows]
    if not cells:
        display({"text/plain": empty, "text/html": escape(empty)}, raw=True)
        return
    display({"text/plain": as_text(columns, cells), "text/html": as_html(columns, cells)}, raw=True)


def as_text(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """The table in aligned columns."""
    lines = [list(columns), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_html(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """The table as an element; what is in the cells is escaped."""
    head = "".join(f'<th scope="col" style="{_CELL}">{escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in row) + "</tr>"
        for row in cells
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
