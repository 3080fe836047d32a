"""The options of `%gpugen` and `%%gpugen`: from what was typed to a checked request.

argparse on a POSIX split: IPython's own `magic_arguments` would leave the quotes in the values, accept
abbreviations that break when an option is added, and know no `--help`.
"""

from __future__ import annotations

import argparse
import keyword
import re
import shlex
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, get_args

from IPython.core.error import UsageError
from msgspec import Struct

from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.request import SchedulerName, TaskRequest

ProgressKind = Literal["auto", "widget", "text", "none"]
PROGRESS_KINDS: tuple[ProgressKind, ...] = get_args(ProgressKind)

_REQUEST_OPTIONS = ("model", "n", "seed", "steps", "guidance", "negative_prompt", "scheduler")
SIZE = re.compile(r"(\d+)[xX×](\d+)")
_DASHES = re.compile(r"(?:^|(?<=\s))--(?=\s|$)")  # what comes after it is a prompt, whatever it looks like

EXAMPLES = """\
examples:
  %%gpugen -n 4 --seed 7
  a slice of pizza

  %gpugen a red bicycle -o bike          then: bike.images[0], bike.seeds, bike.save("pictures")
  %gpugen --negative "blurry, text" a poster

tasks:
  %gpugen wait [ID]      follow a task sent off with --no-wait to its end (all of them without ID)
  %gpugen show [ID]      the images of a task
  %gpugen status [ID]    where a task stands
  %gpugen cancel [ID]    stop a task; its finished images stay

`%gpugen -- wait` draws the prompt "wait". Defaults: %config GpuGenMagics
"""


class Arguments(Struct, frozen=True, kw_only=True):
    """What a cell asks for: the request, and how to show it."""

    request: TaskRequest
    out: str | None = None
    wait: bool = True
    progress: ProgressKind = "auto"


class HelpRequest(Exception):
    """The user typed `--help`."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        hint = "Write -- before a prompt that looks like an option. " if "unrecognized" in message else ""
        raise UsageError(f"{message}. {hint}`%gpugen --help` lists the options.")


def build_parser() -> argparse.ArgumentParser:
    """The parser behind both magics; its help is also what `%%gpugen?` shows."""
    parser = _Parser(
        prog="%%gpugen",
        description="Draw the prompt in the lines below (or, with one %, in this line).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    _add_request_options(parser)
    _add_display_options(parser)
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help="what the image shows")
    return parser


def _add_request_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-m", "--model", metavar="MODEL", help="one of `gpugen models`")
    add("-n", type=int, metavar="N", help="how many images (1 to 16)")
    add("-s", "--seed", type=int, metavar="SEED", help="image k is drawn from SEED + k; none: a random one")
    add("--size", type=parse_size, metavar="WxH", help="pixels, such as 512x512")
    add("--steps", type=int, metavar="K", help="denoising steps")
    add("--guidance", type=float, metavar="G", help="how closely the prompt is followed")
    add("--negative", dest="negative_prompt", metavar="TEXT", help="what the image must not show")
    add(
        "--scheduler",
        choices=get_args(SchedulerName),
        metavar="NAME",
        help=", ".join(get_args(SchedulerName)),
    )


def _add_display_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-o", "--out", type=_variable, metavar="VAR", help="keep the result in this variable, too")
    add("--no-wait", action="store_true", help="go on with the notebook; VAR is then the task")
    add("--progress", choices=PROGRESS_KINDS, help="how it is shown while it is drawn: %(choices)s")
    add("-h", "--help", action="store_true", help="show this")


def parse(line: str, cell: str | None, defaults: Mapping[str, Any]) -> Arguments:
    """The options in `line` over `defaults` (by name), with the prompt from `cell` (None: from `line`).

    Raises:
        UsageError: what was typed cannot be meant; the sentence says what.
        HelpRequest: `--help` is among the options.
    """
    words, verbatim = _split(line)
    typed = build_parser().parse_intermixed_args(words)
    if typed.help:
        raise HelpRequest
    options = {**defaults, **{name: value for name, value in vars(typed).items() if value is not None}}
    return Arguments(
        request=_request(_prompt(typed.prompt, verbatim, cell), options),
        out=typed.out,
        wait=not typed.no_wait,
        progress=options.get("progress", "auto"),
    )


def _split(line: str) -> tuple[list[str], str]:
    """The words before a lone `--`, and the text after it as it stands."""
    for dashes in _DASHES.finditer(line):
        try:
            return shlex.split(line[: dashes.start()]), line[dashes.end() :].strip()
        except ValueError:
            continue  # these two dashes are inside quotes
    try:
        return shlex.split(line), ""
    except ValueError:
        raise UsageError(
            "A quote is opened and never closed. Write -- before a prompt with a lone quote "
            "(%gpugen -- a cat's hat), or put the prompt in the lines below %%gpugen."
        ) from None


def _prompt(words: list[str], verbatim: str, cell: str | None) -> str:
    beside = " ".join((*words, verbatim)).strip()
    if cell is not None and beside:
        raise UsageError(
            f"%%gpugen reads its prompt from the lines below it; {beside!r} stands beside the options. "
            "Values with spaces need quotes."
        )
    prompt = beside if cell is None else cell.strip()
    if not prompt:
        where = "after %gpugen" if cell is None else "in the lines below %%gpugen"
        raise UsageError(f"There is no prompt. Write what the image shows {where}.")
    return prompt


def _request(prompt: str, options: Mapping[str, Any]) -> TaskRequest:
    from gpugen.client import build_request

    fields = {name: options[name] for name in _REQUEST_OPTIONS if options.get(name) is not None}
    width, height = options.get("size") or (None, None)
    try:
        return build_request(prompt, **fields, width=width, height=height)
    except InvalidRequest as error:
        raise UsageError(str(error)) from None


def parse_size(text: str) -> tuple[int, int]:
    """Width and height out of `512x512`."""
    found = SIZE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512x512")
    return int(found[1]), int(found[2])


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of a variable")
    return text
