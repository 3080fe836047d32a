"""`gpugen models`: what can be asked for with -m."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gpugen_protocol.models import Model


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def models(name: str | None, as_json: bool) -> None:
    """The models that can be asked for; with NAME, everything about one."""
    from gpugen.cli.output import print_json, print_table
    from gpugen.cli.session import session
    from gpugen_protocol.models import Registry

    with session() as client:
        known = client.api.models()
    if name is not None:
        model = Registry(known.models, known.default).get(name)
        if as_json:
            print_json(model)
        else:
            _print_one(model)
    elif as_json:
        print_json(known)
    else:
        rows = [_row(model, known.default) for model in known.models]
        print_table(
            ("name", "size", "steps", "licence", "what it is"), rows, empty="The server knows no model."
        )


def _row(model: Model, default: str) -> tuple[str, ...]:
    mark = " (default)" if model.name == default else ""
    return (
        model.name + mark,
        f"{model.width}x{model.height}",
        str(model.steps),
        model.licence,
        model.title + (" (gated)" if model.gated else ""),
    )


def _print_one(model: Model) -> None:
    from gpugen.harmless import clean

    facts = {
        "name": model.name,
        "what it is": model.title,
        "from": model.source,
        "licence": f"{model.licence} {model.licence_url}".strip(),
        "size": _sizes(model),
        "steps": model.steps,
        "guidance": f"{model.guidance:g}",
        "schedulers": ", ".join((f"{model.scheduler} (default)", *_others(model))),
        "prompt": f"the first {model.max_prompt_tokens} tokens are read" if model.max_prompt_tokens else "",
        "negative": "" if model.negative else "a negative prompt has no effect",
        "gated": "needs a Hub login and an accepted licence" if model.gated else "",
        "memory": f"{model.memory_bytes / 1e9:.1f} GB on a GPU" if model.memory_bytes else "",
        "draws": ", ".join(model.words),
    }
    for fact, value in facts.items():
        if value != "":
            click.echo(f"{fact:<11} {clean(str(value))}")


def _sizes(model: Model) -> str:
    text = f"{model.width}x{model.height} by default, multiples of {model.size_multiple}"
    side = model.native_side
    return f"{text}; drawn at {side}x{side} and scaled to others" if side else text


def _others(model: Model) -> list[str]:
    return [name for name in model.schedulers if name != model.scheduler]
