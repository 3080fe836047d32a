"""`gpugen stop`: the private server ends now, rather than when it has been idle for a while."""

from __future__ import annotations

import os

import click


@click.command()
def stop() -> None:
    """End your private server, and its worker with it. Unfinished tasks go on when it runs again."""
    from gpugen_client import private_server
    from gpugen_client.named import is_named
    from gpugen_protocol import places
    from gpugen_protocol.errors import InvalidRequest

    if is_named(os.environ):
        raise InvalidRequest(
            "GPUGEN_URL or the config file names a server that is not your private one.",
            hint="End that one where it runs. With no server named, this ends your private one.",
        )
    ended = private_server.stop(os.environ)
    if ended is None:
        click.echo(f"No private server runs for {places.data_dir(os.environ)}.")
        return
    click.echo(f"Your private server at {ended.url} (process {ended.pid}) has ended.")
    click.echo("Unfinished tasks go on when it runs again: the next command starts it.", err=True)
