"""`gpugen simulate`: what other settings of the autoscaler would cost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpugen_server.simulate.arrivals import Arrival, Pattern
    from gpugen_server.simulate.scenario import Result


@click.command()
@click.option("--max-workers", default="1,4", metavar="N,...", show_default=True, help="Limits to compare.")
@click.option(
    "--idle",
    default="1m,2m,5m,10m,20m,1h",
    metavar="DURATION,...",
    show_default=True,
    help="How long an idle worker stays: times to compare.",
)
@click.option(
    "--boot", default="150", metavar="DURATION", show_default=True, help="Until a new machine draws."
)
@click.option(
    "--machine", default="g2-standard-8", metavar="KIND", show_default=True, help="Whose price counts."
)
@click.option("--hourly", type=float, metavar="DOLLARS", help="Its price, if you know better.")
@click.option("--database-url", metavar="URL", help="Take the tasks that this server's database recorded.")
@click.option("--days", type=float, default=30.0, show_default=True, help="How long people come.")
@click.option(
    "--tasks-per-day", type=float, default=60.0, show_default=True, help="More by day than by night."
)
@click.option("--session", type=float, default=8.0, show_default=True, help="Tasks of one sitting.")
@click.option("--pause", default="90", metavar="DURATION", show_default=True, help="Between two of them.")
@click.option("--seconds", type=float, default=10.0, show_default=True, help="That a task is drawn.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture: SVG.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def simulate(as_json: bool, plot: Path | None, **asked: Any) -> None:
    """Play made up or recorded tasks against the autoscaler's own policy: waiting against cost.

    Every task is served; the question is how long people wait for machines, and what the machines cost.
    """
    from gpugen_protocol import wire
    from gpugen_server.simulate import chart, words

    results = _results(asked)
    if plot is not None:
        title = f"{results[0].tasks:,} tasks on {asked['machine']}: idle time against waiting"
        plot.write_text(chart.draw(results, title), encoding="utf-8")
    click.echo(wire.encode({"results": results}).decode() if as_json else words.table(results))


def _results(asked: dict[str, Any]) -> list[Result]:
    from gpugen_protocol import durations
    from gpugen_server.simulate.scenario import Fleet, play

    fleets = [
        Fleet(max_workers=limit, idle=idle, boot=durations.seconds(asked["boot"]), hourly=_hourly(asked))
        for limit in _numbers(asked["max_workers"])
        for idle in map(durations.seconds, asked["idle"].split(","))
    ]
    known = _recorded(asked["database_url"]) if asked["database_url"] else None
    pattern = _pattern(asked)
    return [play(fleet, known or _made_up(pattern, asked["seed"]), asked["seed"]) for fleet in fleets]


def _pattern(asked: dict[str, Any]) -> Pattern:
    from gpugen_protocol import durations
    from gpugen_protocol.errors import Misconfigured
    from gpugen_server.simulate.arrivals import Pattern

    numbers = [asked[name] for name in ("days", "tasks_per_day", "session", "seconds")]
    if min(numbers) <= 0 or asked["session"] < 1:
        raise Misconfigured(
            "Days, tasks and seconds must be more than 0, and a sitting has at least one task."
        )
    days, per_day, session, seconds = numbers
    pause = max(0.001, durations.seconds(asked["pause"]))
    return Pattern(days=days, per_day=per_day, session=session, pause=pause, seconds=seconds)


def _made_up(pattern: Pattern, seed: int) -> Iterable[Arrival]:
    from gpugen_server.simulate.arrivals import synthetic

    return synthetic(pattern, seed)


def _recorded(database_url: str) -> list[Arrival]:
    from gpugen_protocol.errors import Misconfigured
    from gpugen_server import settings
    from gpugen_server.database import Database
    from gpugen_server.simulate import arrivals

    where = settings.read({"database_url": database_url}, os.environ).database_url
    if "://" not in where and not Path(where).is_file():
        raise Misconfigured(f"There is no database {where}.", hint="Name the file, or postgresql://...")
    database = Database(where)
    try:
        database.check()
        return database.call(arrivals.recorded)
    finally:
        database.disconnect()


def _numbers(text: str) -> list[int]:
    from gpugen_protocol.errors import Misconfigured

    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise Misconfigured(
            f"--max-workers: {text!r} are not numbers of workers.", hint="Write for example 1,4."
        )
    return found


def _hourly(asked: dict[str, Any]) -> float:
    from gpugen_protocol import places
    from gpugen_server.autoscale import prices
    from gpugen_server.autoscale.gce.offers import read_offers

    if asked["hourly"] is not None:
        return float(asked["hourly"])
    kind = read_offers("anywhere-in1-a", asked["machine"])[0].kind
    return prices.read(places.data_dir(os.environ)).hourly(kind)
