"""What was typed becomes a request, or one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.error import UsageError

from gpugen.arguments import HelpRequest, build_parser, parse


def request(line: str, cell: str | None = None, **defaults: Any) -> Any:
    return parse(line, cell, defaults).request


def test_every_option_reaches_the_request() -> None:
    asked = parse(
        "-m emoji -n 4 --seed 7 --size 512x256 --steps 9 --guidance 2.5 --negative 'blurry, text' "
        "--scheduler ddim -o cats --no-wait --progress text",
        "a cat",
        {},
    )
    found = asked.request
    assert (found.prompt, found.negative_prompt, found.model, found.n) == (
        "a cat",
        "blurry, text",
        "emoji",
        4,
    )
    assert (found.seed, found.width, found.height, found.steps) == (7, 512, 256, 9)
    assert (found.guidance, found.scheduler) == (2.5, "ddim")
    assert (asked.out, asked.wait, asked.progress) == ("cats", False, "text")


def test_a_cell_s_prompt_is_literal() -> None:
    prompt = "{a|b} (word:1.2) $HOME {{x}} 'tis --seed 7 \\n\nsecond line"
    assert request("", f"\n{prompt}\n\n").prompt == prompt


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("a red cat", "a red cat"),
        ('"a  red cat" --steps 3', "a  red cat"),
        ("-n 2 a red cat --steps 3 sleeping", "a red cat sleeping"),
        ("-- a cat's hat --steps", "a cat's hat --steps"),
        ("-n 2 -- wait", "wait"),
        ("--negative 'x -- y' a cat", "a cat"),
        ("--negative 'x -- y' -- a cat's", "a cat's"),
        ("a cat -- and a dog", "a cat and a dog"),
    ],
)
def test_a_line_s_prompt_may_stand_before_between_and_after_options(line: str, prompt: str) -> None:
    assert request(line).prompt == prompt


@pytest.mark.parametrize(
    ("line", "cell", "says"),
    [
        ("--sise 64x64", "a cat", "unrecognized arguments: --sise"),
        ("--mod emoji", "a cat", "unrecognized arguments: --mod"),
        ("-n two", "a cat", "invalid int value: 'two'"),
        ("-n 0", "a cat", "n: must be >= 1"),
        ("-n 17", "a cat", "n: must be <= 16"),
        ("--seed -1", "a cat", "seed: must be >= 0"),
        ("--guidance nan", "a cat", "guidance"),
        ("--size 64", "a cat", "'64' is not a size such as 512x512"),
        ("--size 500x512", "a cat", "width: must be a multiple of 8"),
        ("--scheduler fast", "a cat", "invalid choice: 'fast'"),
        ("--progress bar", "a cat", "invalid choice: 'bar'"),
        ("-o 1st", "a cat", "'1st' cannot be the name of a variable"),
        ("-o class", "a cat", "'class' cannot be the name of a variable"),
        ("--steps", "a cat", "expected one argument"),
        ("-m", "a cat", "expected one argument"),
        ("a cat", "in a hat", "'a cat' stands beside the options"),
        ("-- a cat", "in a hat", "'a cat' stands beside the options"),
        ("", " \n\t", "There is no prompt"),
        ("-n 2", None, "There is no prompt"),
        ("--", None, "There is no prompt"),
        ("a cat's hat", None, "A quote is opened and never closed"),
        ("--negative 'x", "a cat", "A quote is opened and never closed"),
        ("-fluffy cat", None, "Write -- before a prompt that looks like an option"),
        ("", "x" * 4001, "prompt: must have at most 4000 characters"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error_that_says_so(line: str, cell: str | None, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, cell, {})
    assert type(caught.value) is UsageError  # IPython shows a subclass with a traceback
    assert says in str(caught.value)


def test_defaults_hold_where_an_option_is_not_given() -> None:
    defaults = {"model": "sdxl", "size": (64, 32), "steps": 5}
    assert (request("a cat", **defaults).model, request("a cat", **defaults).height) == ("sdxl", 32)
    assert request("a cat --steps 6 --size 8x8", **defaults).steps == 6
    assert request("a cat --steps 6 --size 8x8", **defaults).width == 8


def test_help_needs_no_prompt() -> None:
    with pytest.raises(HelpRequest):
        parse("--help", None, {})
    with pytest.raises(HelpRequest):
        parse("-n 3 -h", "a cat", {})


def test_the_help_names_every_option() -> None:
    text = build_parser().format_help()
    wanted = "-m -n -s --size --steps --guidance --negative --scheduler -o --no-wait --progress --help"
    assert all(option in text for option in wanted.split())
