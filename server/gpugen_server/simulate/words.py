"""The results for people."""

from __future__ import annotations

from collections.abc import Sequence

from gpugen_server.simulate.scenario import Result

_COLUMNS = ("workers", "idle", "wait median", "p95", "mean", "cold", "$ a day", "$ a task", "busy", "starts")


def duration(seconds: float) -> str:
    """As it is written in settings: 90s, 10m, 2h."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def table(results: Sequence[Result]) -> str:
    """A line for each result."""
    rows = [_COLUMNS, *map(_cells, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


def _cells(result: Result) -> tuple[str, ...]:
    waits = (result.wait_median, result.wait_p95, result.wait_mean)
    return (
        f"0..{result.max_workers}",
        duration(result.idle),
        *(f"{seconds:.1f} s" for seconds in waits),
        f"{result.cold:.1%}",
        f"{result.cost_per_day:.2f}",
        f"{result.cost_per_task:.4f}",
        f"{result.busy:.0%}",
        str(result.starts),
    )
