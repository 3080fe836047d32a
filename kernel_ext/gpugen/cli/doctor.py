"""`gpugen doctor`: looks at every part and says what to do. It starts nothing and always comes to an end."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gpugen.checkup.finding import Environ, Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """What works, what does not, and what to do about it."""
    findings = _look_at_everything(os.environ)
    healthy = all(finding.state != "fail" for finding in findings)
    if as_json:
        from gpugen.cli.output import print_json

        print_json({"ok": healthy, "findings": findings})
    else:
        _print(findings)
    ctx.exit(0 if healthy else 1)


def _look_at_everything(environ: Environ) -> list[Finding]:
    """All findings, in the order of the table; the slow looks run side by side."""
    from concurrent.futures import ThreadPoolExecutor

    from gpugen.checkup import database, drawing, jupyter, machine, service

    looks = (
        machine.python,
        machine.packages,
        machine.data_directory,
        machine.settings_files,
        database.database,
        service.redis,
        service.server,
        service.token,
        service.workers,
        drawing.device,
        drawing.bundled_model,
        jupyter.jupyter,
    )
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda look: _look(look, environ), looks))


def _look(look: Callable[[Environ], Finding], environ: Environ) -> Finding:
    from gpugen.checkup.finding import fail
    from gpugen_protocol.errors import describe

    try:
        return look(environ)
    except Exception as error:  # a look that stumbles is itself something to report
        part = look.__name__.replace("_", " ")
        return fail(part, f"cannot be looked at: {describe(error)}", "Please report this.")


def _print(findings: list[Finding]) -> None:
    from gpugen.harmless import clean

    width = max(len(finding.part) for finding in findings)
    for finding in findings:
        state = click.style(f"{finding.state:4}", fg=_COLOURS[finding.state])
        click.echo(f"{state}  {finding.part:{width}}  {clean(finding.text)}")
        if finding.hint:
            click.echo(f"{'':{width + 6}}  -> {clean(finding.hint)}")
