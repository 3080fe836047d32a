"""`gpugen workers`: who draws."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def workers(as_json: bool) -> None:
    """The workers that showed themselves lately, and what they do."""
    from gpugen.cli.output import print_json, print_table
    from gpugen.cli.session import session
    from gpugen.harmless import clean

    with session() as client:
        answer = client.api.workers()
        url = client.connection.url
    if as_json:
        print_json(answer)
        return
    rows = [
        (machine.name, machine.state, machine.text, "", "", machine.created_at)
        for machine in answer.machines
        if machine.worker is None
    ] + [
        (worker.name, worker.state, worker.device, worker.task or "", worker.version, worker.seen_at)
        for worker in answer.workers
    ]
    print_table(
        ("name", "state", "device", "task", "version", "seen"), rows, empty="There is no worker just now."
    )
    if answer.autoscaler_text:
        click.echo(clean(answer.autoscaler_text), err=True)
    if not rows and answer.autoscaler == "none":
        click.echo(
            "Make a token on the server: `gpugen token create --scope worker > worker.token`", err=True
        )
        click.echo(
            f"and start a worker with it: `gpugen worker --url {url} --token-file worker.token`", err=True
        )
