"""From what was typed beside and below `%%gpugen` to a checked request, or one for each point of a grid."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError
from msgspec import Struct

from gpugen import prompt as texts
from gpugen.grid import MAX_IMAGES, Axis, Values, combinations, parse_axis
from gpugen.options import EmbedKind, ProgressKind, build_parser
from gpugen_protocol.errors import InvalidRequest
from gpugen_protocol.request import TaskRequest

_FIELDS = (
    *("model", "n", "seed", "steps", "guidance", "negative_prompt", "scheduler", "priority", "strength"),
    *("init_image", "mask_image"),
)
_GRID_OPTIONS = {"model", "seed", "steps", "guidance", "negative", "scheduler", "size", "strength", "prompt"}
_LATER = "0" * 26  # stands for the id of an image that is sent once all else is checked
_DASHES = re.compile(r"(?:^|(?<=\s))--(?=\s|$)")  # what comes after it is a prompt, whatever it looks like


class Point(Struct, frozen=True):
    """One point of a grid: its values by key, and its request."""

    values: Values
    request: TaskRequest


class Arguments(Struct, frozen=True, kw_only=True):
    """What a cell asks for, and how to show it.

    Attributes:
        points: the requests: one, or one for each point of the grid.
        axes: the axes of the grid; none where there is none.
        text: the prompt as it was typed, before anything was filled in.
        init: the name of the variable or file to start from; the requests hold a stand-in for its id.
        mask: the same for the mask.
    """

    points: tuple[Point, ...]
    axes: tuple[Axis, ...] = ()
    text: str = ""
    init: str | None = None
    mask: str | None = None
    out: str | None = None
    wait: bool = True
    progress: ProgressKind = "auto"
    embed: EmbedKind = "thumbnail"

    @property
    def request(self) -> TaskRequest:
        """The first request, which is the only one where there is no grid."""
        return self.points[0].request


class HelpRequest(Exception):
    """The user typed `--help`."""


def parse(
    line: str, cell: str | None, defaults: Mapping[str, Any], names: Mapping[str, Any] | None = None
) -> Arguments:
    """The options in `line` over `defaults` (by name), with the prompt from `cell` (None: from `line`).

    `names` are the notebook's variables.

    Raises:
        UsageError: what was typed cannot be meant; the sentence says what.
        HelpRequest: `--help` is among the options.
    """
    words, verbatim = _split(line)
    typed = build_parser().parse_intermixed_args(words)
    if typed.help:
        raise HelpRequest
    axes = _axes(typed.grid or (), names or {})
    text = _text(typed.prompt, verbatim, cell, may_lack="prompt" in {axis.key for axis in axes})
    options = {**defaults, **_given(typed), **_ids(typed)}
    return Arguments(
        points=_points(_Typed(text, typed.raw, options, bool(typed.negative_prompt)), axes, names or {}),
        axes=axes,
        text=text,
        init=typed.init,
        mask=typed.mask,
        out=typed.out,
        wait=not typed.no_wait,
        progress=options.get("progress", "auto"),
        embed=options.get("embed", "thumbnail"),
    )


class _Typed(Struct, frozen=True):
    """The prompt's text and the options, before a point of a grid changes them."""

    text: str
    raw: bool
    options: dict[str, Any]
    has_negative: bool


def _given(typed: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(typed).items() if value is not None}


def _ids(typed: argparse.Namespace) -> dict[str, str]:
    if typed.mask and not typed.init:
        raise UsageError("--mask needs --init: the image of which a part is drawn anew.")
    if typed.strength is not None and not typed.init:
        raise UsageError("--strength needs --init: the image to start from.")
    return {f"{name}_image": _LATER for name in ("init", "mask") if getattr(typed, name)}


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


def _text(words: list[str], verbatim: str, cell: str | None, *, may_lack: bool) -> str:
    beside = " ".join((*words, verbatim)).strip()
    if cell is not None and beside:
        raise UsageError(
            f"%%gpugen reads its prompt from the lines below it; {beside!r} stands beside the options. "
            "Values with spaces need quotes."
        )
    text = beside if cell is None else cell.strip()
    if not text and not may_lack:
        where = "after %gpugen" if cell is None else "in the lines below %%gpugen"
        raise UsageError(f"There is no prompt. Write what the image shows {where}.")
    return text


def _axes(typed: list[str] | tuple[()], names: Mapping[str, Any]) -> tuple[Axis, ...]:
    axes = tuple(parse_axis(text, names) for text in typed)
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(f"--grid {key} is given twice. Put all its values in one.")
    return axes


def _points(typed: _Typed, axes: tuple[Axis, ...], names: Mapping[str, Any]) -> tuple[Point, ...]:
    wanted = 1
    for axis in axes:
        wanted *= len(axis.values)
    images = wanted * (typed.options.get("n") or 1)
    if images > MAX_IMAGES:
        raise UsageError(f"This grid has {images} images; at most {MAX_IMAGES} go at once. Try fewer values.")
    _check_axes(typed, axes)
    return tuple(Point(values, _request(typed, values, names)) for values in combinations(axes))


def _check_axes(typed: _Typed, axes: tuple[Axis, ...]) -> None:
    asked = texts.holes(typed.text)
    for axis in axes:
        if axis.key == "prompt" and typed.text and ("prompt" not in asked or typed.raw):
            raise UsageError("There are prompts in --grid and below it. Write {{prompt}} where they go.")
        if axis.key not in _GRID_OPTIONS and (axis.key not in asked or typed.raw):
            raise UsageError(
                f"--grid {axis.key}: there is neither such an option nor a {{{{{axis.key}}}}} in the prompt. "
                f"Options: {', '.join(sorted(_GRID_OPTIONS))}."
            )


def _request(typed: _Typed, values: Values, names: Mapping[str, Any]) -> TaskRequest:
    from gpugen.client import build_request

    prompt, negative = _prompts(typed, values, names)
    options = {**typed.options, **_options_of(values)}
    if negative:
        if "negative" in values or typed.has_negative:
            raise UsageError("What the image must not show is given twice: below --- and as an option.")
        options["negative_prompt"] = negative
    fields = {name: options[name] for name in _FIELDS if options.get(name) is not None}
    width, height = options.get("size") or (None, None)
    try:
        return build_request(prompt, **fields, width=width, height=height)
    except InvalidRequest as error:
        raise UsageError(str(error)) from None


def _prompts(typed: _Typed, values: Values, names: Mapping[str, Any]) -> tuple[str, str]:
    text = typed.text or "{{prompt}}"
    if typed.raw:
        return typed.text or values["prompt"], ""
    prompt, negative = texts.split(text)
    if not prompt:
        raise UsageError("There is no prompt above the line ---. Write what the image shows.")
    known = {**names, **values}
    return texts.fill(prompt, known), texts.fill(negative, known)


def _options_of(values: Values) -> dict[str, Any]:
    renamed = {"negative": "negative_prompt"}
    return {
        renamed.get(key, key): value for key, value in values.items() if key in _GRID_OPTIONS - {"prompt"}
    }
