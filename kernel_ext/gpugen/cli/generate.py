"""`gpugen generate`: draw a prompt, show how it goes on stderr, save the images, print their paths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gpugen.cli.target import Target
    from gpugen.client import Task


def _whole(_context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]) -> str:
    """The one argument that is the prompt; several are a prompt whose quotes were forgotten."""
    if len(words) > 1:
        raise click.UsageError(f'Put the prompt in quotes: gpugen generate "{" ".join(words)}"')
    return words[0]


@click.command()
@click.argument("prompt", nargs=-1, required=True, metavar="PROMPT", callback=_whole)
@click.option("-m", "--model", metavar="MODEL", help="One of `gpugen models`.")
@click.option("-n", type=int, metavar="N", help="How many images (1 to 16).")
@click.option(
    "-s", "--seed", type=int, metavar="SEED", help="Image k is drawn from SEED + k. None: at random."
)
@click.option("--size", metavar="WxH", help="Pixels, such as 512x512.")
@click.option("--steps", type=int, metavar="K", help="Denoising steps.")
@click.option("--guidance", type=float, metavar="G", help="How closely the prompt is followed.")
@click.option("--negative", "negative_prompt", metavar="TEXT", help="What the image must not show.")
@click.option("--scheduler", metavar="NAME", help="Such as dpm++, euler, ddim.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE|DIR", help="Where to; a folder for several."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the finished task with the files' paths as JSON."
)
@click.option("--no-wait", is_flag=True, help="Submit, print the task's id, and leave.")
def generate(
    prompt: str, size: str | None, out: Path | None, as_json: bool, no_wait: bool, **options: Any
) -> None:
    """Draw PROMPT and save the images as PNG files that carry their recipe.

    \b
    gpugen generate "a slice of pizza" --seed 7 -o pizza.png
    gpugen generate "a red bicycle" -n 4 -o bicycles
    """
    from gpugen.cli.canceling import canceling
    from gpugen.cli.session import session
    from gpugen.cli.target import Target
    from gpugen.client import build_request
    from gpugen.size import parse_size

    fields = {name: value for name, value in options.items() if value is not None}
    if size is not None:
        fields["width"], fields["height"] = parse_size(size)
    request = build_request(prompt, **fields)
    target = Target.of(out, request.n)
    with session() as client, canceling() as sending:
        task = sending.send(client, request)
        if no_wait:
            _print_submitted(task, as_json)
        else:
            _finish(task, target, as_json)


def _print_submitted(task: Task, as_json: bool) -> None:
    from gpugen.cli.output import print_json

    if as_json:
        print_json(_document(task, []))
    else:
        click.echo(task.id)
        click.echo(f"Submitted. `gpugen images {task.id}` fetches the images when they are done.", err=True)


def _finish(task: Task, target: Target, as_json: bool) -> None:
    from gpugen.cli.following import follow
    from gpugen.cli.output import print_json
    from gpugen_protocol.errors import TaskCanceled, TaskFailed

    follow(task)
    try:
        files = target.save(task.result())
    except (TaskFailed, TaskCanceled):
        if as_json:
            print_json(_document(task, []))
        raise
    if as_json:
        print_json(_document(task, files))
    else:
        click.echo("\n".join(map(str, files)))


def _document(task: Task, files: list[Path]) -> dict[str, Any]:
    from gpugen_protocol import wire

    return {**wire.plain(task.record), "files": [str(file) for file in files]}
