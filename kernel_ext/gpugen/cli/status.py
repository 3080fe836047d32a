"""`gpugen status`: how the server is, and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gpugen_protocol.health import Cost


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def status(as_json: bool) -> None:
    """How the server is, and what it does."""
    from gpugen.cli.output import print_json
    from gpugen.cli.session import session
    from gpugen.harmless import clean
    from gpugen.words import duration
    from gpugen_protocol import wire

    with session() as client:
        stats, health = client.api.stats(), client.api.health()
        url = client.connection.url
    if as_json:
        print_json({"url": url, "health": wire.plain(health), "stats": wire.plain(stats)})
        return
    click.echo(f"Server   {url}, version {clean(health.version)}, up for {duration(stats.uptime_seconds)}")
    click.echo(f"State    {health.state}")
    for part in health.parts:
        if part.state != "ok":
            click.echo(f"         {clean(part.name)} is {part.state}: {clean(part.text)}")
    click.echo(f"Tasks    {_counts(stats.tasks)}")
    click.echo(f"Workers  {_counts(stats.workers)}")
    if stats.cost.today or stats.cost.limit_per_day:
        click.echo(f"Cost     {_cost(stats.cost)}")


def _cost(cost: Cost) -> str:
    """Estimated, and never an invoice."""
    text = f"about ${cost.today:.2f} today (UTC)"
    if cost.per_task is not None:
        text += f", ${cost.per_task:.4f} a task"
    if cost.limit_per_day is not None:
        text += f"; no machine is started beyond ${cost.limit_per_day:.2f} a day"
    return text


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"
