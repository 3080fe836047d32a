"""What was typed becomes a request, or one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.error import UsageError

from gpugen.arguments import HelpRequest, parse
from gpugen.options import build_parser


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
    prompt = "{a|b} (word:1.2) $HOME {x} 'tis --seed 7 \\n\nsecond line"
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
    wanted = (
        "-m -n -s --size --steps --guidance --negative --scheduler --init --mask --strength --grid "
        "--priority --no-wait -o --embed --progress --raw --help"
    )
    assert all(option in text for option in wanted.split())


def test_what_stands_below_the_dashes_is_the_negative_prompt() -> None:
    asked = request("", "a cat\n --- \nblurry\n---\ntext", negative_prompt="dull")
    assert (asked.prompt, asked.negative_prompt) == ("a cat", "blurry\n---\ntext")
    assert request("", "a cat", negative_prompt="dull").negative_prompt == "dull"
    with pytest.raises(UsageError, match="given twice"):
        request("--negative blurry", "a cat\n---\ntext")
    with pytest.raises(UsageError, match="no prompt above"):
        request("", "---\ntext")


def test_raw_takes_everything_literally() -> None:
    text = "a {{cat}}\n---\n{{items[0]}}"
    asked = request("--raw", text)
    assert (asked.prompt, asked.negative_prompt) == (text, "")


def test_variables_are_filled_in_once() -> None:
    names = {"animal": "a {{cat}}", "style": "oil\n---\nwater"}
    found = parse("", "{{ animal }} in {{style}}", {}, names).request
    assert (found.prompt, found.negative_prompt) == ("a {{cat}} in oil\n---\nwater", "")
    assert parse("{{animal}} --steps 2", None, {}, names).request.prompt == "a {{cat}}"


def test_an_image_to_start_from_goes_with_its_mask_and_strength() -> None:
    asked = parse("--init photo --mask hole.png --strength 0.5", "a cat", {})
    assert (asked.init, asked.mask, asked.request.strength) == ("photo", "hole.png", 0.5)
    for line in ("--mask hole", "--strength 0.5"):
        with pytest.raises(UsageError, match="needs --init"):
            parse(line, "a cat", {})
    with pytest.raises(UsageError, match="strength"):
        parse("--init photo --strength 1.5", "a cat", {})


def test_a_grid_is_every_combination_the_last_key_changing_fastest() -> None:
    asked = parse("--grid steps=10,20 --grid guidance=3,5.5 --seed 7", "a cat", {})
    assert [(each.request.steps, each.request.guidance) for each in asked.points] == [
        (10, 3.0),
        (10, 5.5),
        (20, 3.0),
        (20, 5.5),
    ]
    assert asked.points[1].values == {"steps": 10, "guidance": 5.5}
    assert parse("--grid steps=1,2 --priority -5", "a cat", {}).request.priority == -5


def test_a_grid_takes_lists_variables_sizes_and_names_in_the_prompt() -> None:
    names = {"seeds": range(3)}
    prompts = parse("""--grid 'prompt=["a cat, sitting", "a dog"]'""", None, {}).points
    assert [each.request.prompt for each in prompts] == ["a cat, sitting", "a dog"]
    filled = parse("--grid animal=cat,dog", "a {{animal}}\n---\nno {{animal}} food", {}).points
    assert [each.request.negative_prompt for each in filled] == ["no cat food", "no dog food"]
    seeds = parse("--grid seed={{seeds}} --grid size=64x32,32x64", "a cat", {}, names).points
    assert [(each.request.seed, each.request.width) for each in seeds][:3] == [(0, 64), (0, 32), (1, 64)]
    around = parse("""--grid 'prompt=["a cat"]'""", "{{prompt}} in the rain", {}).request
    assert around.prompt == "a cat in the rain"


@pytest.mark.parametrize(
    ("line", "cell", "says"),
    [
        ("--grid steps", "a cat", "is not KEY=V1,V2"),
        ("--grid steps=", "a cat", "has no values"),
        ("--grid steps=many", "a cat", "'many' is not a steps"),
        ("--grid steps=2.5", "a cat", "'2.5' is not a steps"),
        ("--grid steps=0", "a cat", "steps: must be >= 1"),
        ("--grid size=1,2", "a cat", "'1' is not a size"),
        ("--grid animal=cat", "a dog", "neither such an option nor a {{animal}}"),
        ("--grid steps=1 --grid steps=2", "a cat", "steps is given twice"),
        ("--grid 'prompt=[\"a cat\"]'", "a dog", "Write {{prompt}} where they go"),
        ("--grid 'prompt=[1, '", None, "is not a JSON list"),
        ("--grid seed={{nothing}}", "a cat", "There is no variable 'nothing'"),
        ("--grid 'seed={{x}}'", "a cat", "needs a list, not a int"),
        ("--grid seed=1,2,3 -n 16 --grid 'steps={{many}}'", "a cat", "at most 1000 go at once"),
    ],
)
def test_a_grid_that_cannot_be_meant_is_a_usage_error(line: str, cell: str | None, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, cell, {}, {"x": 1, "many": range(1, 101)})
    assert says in str(caught.value)
