"""`gpugen serve` and `gpugen token`. Heavy imports wait until a command runs: its help must come at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gpugen_server.database import Database

_database_url = click.option(
    "--database-url", metavar="URL", help="Where tasks and tokens are kept: a file, or postgresql://..."
)


@click.command()
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="0 takes a free one.  [default: 8787]")
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help='Gets {"url", "pid"} once requests are accepted.',
)
@_database_url
@click.option("--redis-url", metavar="URL", help="A Redis server.  [default: an embedded one]")
@click.option(
    "--storage-url", metavar="URL", help="Where images are kept: file:///a/folder or gs://bucket/prefix."
)
@click.option("--autoscaler", type=click.Choice(["none", "local", "gce"]), help="Where workers come from.")
@click.option("--max-workers", type=int, help="The most workers the autoscaler starts.  [default: 1]")
@click.option(
    "--max-cost-per-day",
    type=float,
    metavar="DOLLARS",
    help="Beyond it no machine is started before midnight UTC.",
)
@click.option("--public-url", metavar="URL", help="What workers on other machines call.")
@click.option("--idle-exit", metavar="DURATION", help="Until an idle worker leaves.  [default: 10m]")
@click.option("--keep-succeeded", metavar="DURATION", help="Until finished images go.  [default: never]")
@click.option("--keep-failed", metavar="DURATION", help="Until failed and canceled tasks go.  [default: 30d]")
@click.option("--log-format", type=click.Choice(["auto", "json", "text"]))
@click.option("--tls-cert", metavar="FILE", help="Speak HTTPS with this certificate (PEM).")
@click.option("--tls-key", metavar="FILE", help="Its private key.")
@click.option("--private", is_flag=True, default=None, hidden=True, help="One user's own server.")
def serve(ready_file: Path | None, **flags: Any) -> None:
    """Run a server: it queues tasks, hands them to workers and keeps the images.

    Make tokens for users and workers with `gpugen token create`.
    """
    from gpugen_server import process

    process.run(flags, os.environ, ready_file)


@click.group()
def token() -> None:
    """Make, list and revoke the tokens of a server, in its database; the server need not run."""


@token.command()
@click.option("--scope", type=click.Choice(["user", "worker", "admin"]), required=True)
@click.option(
    "--user", metavar="NAME", help="Whose token; tokens of one user share tasks.  [default: a new user]"
)
@click.option("--name", default="", help="What it is for.")
@click.option("--expires", metavar="DURATION", help="Such as 90d.  [default: never]")
@click.option("--one-time", is_flag=True, help="With scope worker: good for one worker.")
@click.option("--json", "as_json", is_flag=True, help="Print id, token, scope, user and expiry.")
@_database_url
def create(expires: str | None, as_json: bool, database_url: str | None, **asked: Any) -> None:
    """Make a token and print it: it is shown only this once."""
    from gpugen_protocol import durations, wire
    from gpugen_protocol.tokens import TokenRequest
    from gpugen_server import tokens

    seconds = durations.seconds(expires) if expires else None
    with _database({"database_url": database_url}) as database:
        made = database.call(tokens.issue, tokens.OPERATOR, TokenRequest(expires_in=seconds, **asked))
    click.echo(wire.encode(made).decode() if as_json else made.token)


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@_database_url
def list_(as_json: bool, **flags: Any) -> None:
    """List the tokens, without their text."""
    from gpugen_protocol import wire
    from gpugen_server import tokens

    with _database(flags) as database:
        found = database.call(tokens.listing)
    if as_json:
        click.echo(wire.encode({"tokens": found}).decode())
        return
    columns = ("id", "scope", "user", "name", "created_at", "expires_at", "revoked_at", "last_used_at")
    rows = [columns, *(tuple(getattr(one, column) or "-" for column in columns) for one in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@token.command()
@click.argument("id")
@_database_url
def revoke(id: str, **flags: Any) -> None:
    """End the token ID now."""
    from gpugen_server import tokens

    with _database(flags) as database:
        database.call(tokens.revoke, id)
    click.echo(f"Token {id} is revoked.", err=True)


@click.group()
def db() -> None:
    """Look after the database of a server, whose tables change from version to version."""


@db.command()
@_database_url
def upgrade(**flags: Any) -> None:
    """Bring the tables up to date. A SQLite file is brought up to date by the server itself."""
    from gpugen_server.database.schema import VERSION

    with _connected(flags) as database:
        found = database.migrate()
    click.echo(
        f"The database has version {VERSION}{'' if found == VERSION else f'; it had {found}'}.", err=True
    )


@db.command()
@_database_url
def check(**flags: Any) -> None:
    """See whether this gpugen can serve the database."""
    from gpugen_server.database.schema import VERSION

    with _connected(flags) as database:
        database.check()
    click.echo(f"The database has version {VERSION}, and all its tables are there.", err=True)


@contextmanager
def _database(flags: dict[str, Any]) -> Iterator[Database]:
    """The server's database, made if there is none yet."""
    with _connected(flags) as database:
        database.prepare()
        yield database


@contextmanager
def _connected(flags: dict[str, Any]) -> Iterator[Database]:
    """The server's database, whatever its state."""
    from gpugen_server import data_directory, settings
    from gpugen_server.database import Database

    os.umask(0o077)
    found = settings.read(flags, os.environ)
    data_directory.prepare(found)
    database = Database(found.database_url)
    try:
        yield database
    finally:
        database.disconnect()
