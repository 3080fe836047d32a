"""Variables in a prompt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from gpugen.prompt import fill, holes, split

NAMES: dict[str, Any] = {
    "name": "a {{cat}}",
    "obj": SimpleNamespace(color="red", parts=[SimpleNamespace(name="tail")]),
    "items": ["first", "second"],
    "table": {"key": "value", "long key": 7},
    "ünï": "x",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{name}}", "a {{cat}}"),
        ("{{ name }}, {{name}}", "a {{cat}}, a {{cat}}"),
        ("{{obj.color}}", "red"),
        ("{{items[0]}} {{items[-1]}}", "first second"),
        ("{{obj.parts[0].name}}", "tail"),
        ("{{table['key']}} {{table[\"long key\"]}}", "value 7"),
        ("{{ünï}}", "x"),
        ("{a|b} (word:1.2) $x {name} { {name} }", "{a|b} (word:1.2) $x {name} { {name} }"),
    ],
)
def test_names_attributes_and_items_are_filled_in_and_nothing_else(text: str, filled: str) -> None:
    assert fill(text, NAMES) == filled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{nobody}}", "no variable 'nobody'"),
        ("{{obj.nothing}}", "has no .nothing"),
        ("{{items[7]}}", "has no [7]"),
        ("{{name()}}", "is not a variable"),
        ("{{1 + 1}}", "is not a variable"),
        ("{{}}", "is not a variable"),
        ("{{__import__('os').system('x')}}", "is not a variable"),
    ],
)
def test_what_cannot_be_filled_in_is_named(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        fill(text, NAMES)
    assert says in str(caught.value)


@given(st.text(st.characters(exclude_characters="{}")), st.text())
def test_what_a_variable_holds_is_never_read_again(around: str, value: str) -> None:
    assert fill(f"{around}{{{{x}}}}{around}", {"x": value}) == f"{around}{value}{around}"


def test_the_names_a_text_asks_for_are_known() -> None:
    assert holes("{{a}} {{b.c}} {{d[0]}} {e} {{1 + 1}}") == {"a", "b", "d"}


def test_a_line_of_dashes_divides_and_dashes_within_a_line_do_not() -> None:
    assert split("a --- b\n---\nc") == ("a --- b", "c")
    assert split("a\n----\nb") == ("a\n----\nb", "")
