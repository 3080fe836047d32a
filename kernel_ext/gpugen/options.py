"""The options of `%gpugen` and `%%gpugen`, as a parser; its help is what `%%gpugen?` shows.

argparse on a POSIX split: IPython's own `magic_arguments` would leave the quotes in the values, accept
abbreviations that break when an option is added, and know no `--help`.
"""

from __future__ import annotations

import argparse
import keyword
from typing import Literal, NoReturn, get_args

from IPython.core.error import UsageError

from gpugen import size
from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.request import SchedulerName

ProgressKind = Literal["auto", "widget", "text", "none"]
PROGRESS_KINDS: tuple[ProgressKind, ...] = get_args(ProgressKind)
EmbedKind = Literal["thumbnail", "full", "none"]
EMBED_KINDS: tuple[EmbedKind, ...] = get_args(EmbedKind)

EXAMPLES = """\
the prompt:
  {{name}}, {{obj.attribute}} and {{items[0]}} are the notebook's variables; all else is literal.
  Below a line --- stands what the image must not show. --raw takes the whole text literally.

examples:
  %%gpugen -n 4 --seed 7
  a slice of pizza

  %gpugen a red bicycle -o bike          then: bike.images[0], bike.seeds, bike.save("pictures")
  %%gpugen --grid steps=10,20 --grid guidance=3,5,7
  %gpugen --grid 'prompt=["a cat", "a dog"]'
  %gpugen --init bike --strength 0.5 a blue bicycle

tasks (without ID: this kernel's latest):
  %gpugen wait [ID]      follow a task to its end (without ID all that were sent off with --no-wait)
  %gpugen attach [ID]    show it again, live, and go on with the notebook
  %gpugen show [ID]      the images of a task
  %gpugen status [ID]    where a task stands
  %gpugen cancel [ID]    stop a task; its finished images stay
  %gpugen retry [ID]     the same request once more
  %gpugen logs [ID]      what happened to it
  %gpugen replay FILE|ID draw an image again from its recipe, and say what differs
  %gpugen queue | history | models | workers
  %gpugen connect [URL [TOKEN_FILE]]   use another server, or say which one is used

`%gpugen -- wait` draws the prompt "wait". Defaults: %config GpuGenMagics
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        hint = "Write -- before a prompt that looks like an option. " if "unrecognized" in message else ""
        raise UsageError(f"{message}. {hint}`%gpugen --help` lists the options.")


def build_parser() -> argparse.ArgumentParser:
    """The parser behind both magics."""
    parser = _Parser(
        prog="%%gpugen",
        description="Draw the prompt in the lines below (or, with one %, in this line).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    _add_request_options(parser)
    _add_start_options(parser)
    _add_display_options(parser)
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help="what the image shows")
    return parser


def _add_request_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-m", "--model", metavar="MODEL", help="one of `%%gpugen models`")
    add("-n", type=int, metavar="N", help="how many images (1 to 16)")
    add("-s", "--seed", type=int, metavar="SEED", help="image k is drawn from SEED + k; none: a random one")
    add("--size", type=parse_size, metavar="WxH", help="pixels, such as 512x512")
    add("--steps", type=int, metavar="K", help="denoising steps")
    add("--guidance", type=float, metavar="G", help="how closely the prompt is followed")
    add("--negative", dest="negative_prompt", metavar="TEXT", help="what the image must not show")
    names = get_args(SchedulerName)
    add("--scheduler", choices=names, metavar="NAME", help=", ".join(names))
    add("--priority", type=int, metavar="P", help="below 0: after everything else of yours and others'")


def _add_start_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--init", metavar="VAR|FILE", help="start from this image: PIL, numpy, a former result, a file")
    add("--mask", metavar="VAR|FILE", help="draw only where this image is white (needs --init)")
    add("--strength", type=float, metavar="X", help="how much of it is drawn anew: above 0 to 1")
    add(
        "--grid",
        action="append",
        metavar="KEY=V1,V2",
        help="try all values of an option, or of a {{name}} in the prompt; may be given several times",
    )


def _add_display_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-o", "--out", type=_variable, metavar="VAR", help="keep the result in this variable, too")
    add("--no-wait", action="store_true", help="go on with the notebook; VAR is then the task")
    add("--embed", choices=EMBED_KINDS, help="what the file keeps of the pictures: %(choices)s")
    add("--progress", choices=PROGRESS_KINDS, help="how it is shown while it is drawn: %(choices)s")
    add("--raw", action="store_true", help="take the prompt literally: no {{ }}, no ---")
    add("-h", "--help", action="store_true", help="show this")


def parse_size(text: str) -> tuple[int, int]:
    """Width and height out of `512x512`."""
    try:
        return size.parse_size(text)
    except InvalidRequest:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512x512") from None


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of a variable")
    return text
