"""Ctrl-C in a terminal: what was submitted is canceled on the server, and it says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from gpugen.sending import Sending


@contextlib.contextmanager
def canceling() -> Iterator[Sending]:
    """What is sent within is canceled by Ctrl-C, whenever that comes; a second one leaves at once."""
    sending = Sending()
    try:
        yield sending
    except KeyboardInterrupt:
        if sending.pending:
            click.echo(f"\nCanceling {sending.name} ...", err=True)
            sending.take_back()
            _tell(sending)
        raise


def _tell(sending: Sending) -> None:
    record = sending.last.record if sending.last is not None else None
    over = record is not None and record.state == "canceled"
    click.echo("Canceled." if over else sending.farewell("gpugen"), err=True)
    if record is not None and record.images:
        click.echo(
            f"{len(record.images)} of {record.request.n} images were finished: gpugen images {record.id}",
            err=True,
        )
