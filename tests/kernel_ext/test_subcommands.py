"""A sub-command is one only if all of the line fits it."""

from __future__ import annotations

import pytest

from gpugen.subcommands import match

ID = "01jd8q2m3n4p5r6s7t8v9wxyz0"


@pytest.mark.parametrize("name", ["wait", "show", "status", "cancel"])
def test_a_sub_command_stands_alone_or_with_an_id(name: str) -> None:
    assert match(name) == (name, None)
    assert match(f"  {name}   {ID.upper()} ") == (name, ID)


@pytest.mark.parametrize(
    "prompt",
    ["show me a castle", "wait for it", "cancel culture", f"show {ID} please", "a cat", "", "waiting"],
)
def test_anything_else_is_a_prompt(prompt: str) -> None:
    assert match(prompt) is None
