"""A sub-command is one only if all of the line fits it."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.error import UsageError

from gpugen.commands import ALONE, OF_A_TASK, Command, match

ID = "01jd8q2m3n4p5r6s7t8v9wxyz0"


@pytest.mark.parametrize("name", OF_A_TASK)
def test_a_sub_command_stands_alone_or_with_an_id(name: str) -> None:
    assert match(name) == Command(name)
    assert match(f"  {name}   {ID.upper()} ") == Command(name, ID)
    assert match(f"{name} grid-0123456789abcdef") == Command(name, "grid-0123456789abcdef")


@pytest.mark.parametrize("name", ALONE)
def test_a_list_stands_alone(name: str) -> None:
    assert match(name) == Command(name)
    assert match(f"{name} of a castle") is None


@pytest.mark.parametrize("name", OF_A_TASK)
def test_a_word_that_looks_like_an_id_is_one_though_mistyped(name: str) -> None:
    for word in (ID[:-1], f"{ID}0", "01m89zzzzz", "01il"):
        assert match(f"{name} {word.upper()}") == Command(name, word)
    for prompt in (f"{name} 01m89zzzzz please", f"{name} castles", f"{name} 01-Jan"):
        assert match(prompt) is None


@pytest.mark.parametrize("line", ["retry -o q", "wait --no-wait", "queue --all", "show --seed 7 -o x"])
def test_a_sub_command_with_options_alone_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match=f"%gpugen {line.partition(' ')[0]} takes no options"):
        match(line)


@pytest.mark.parametrize("line", ["cancel -n 4 culture", "wait -- it", "show --help", "wait --seed"])
def test_options_and_words_are_a_prompt_as_is_what_asks_for_help(line: str) -> None:
    assert match(line) is None


def test_replay_wants_an_id_or_a_file(tmp_path: Path) -> None:
    there = tmp_path / "a cat"
    there.touch()
    assert match(f"replay {ID}") == Command("replay", ID)
    assert match("replay out/cat.png -m sdxl") == Command("replay", "out/cat.png", "sdxl")
    assert match(f"replay '{there}'") == Command("replay", str(there))
    for prompt in ("replay", "replay the match", "replay match", f"replay {ID} {ID}"):
        assert match(prompt) is None


def test_connect_wants_an_address() -> None:
    assert match("connect") == Command("connect")
    assert match("connect https://gpu.example.org") == Command("connect", "https://gpu.example.org")
    assert match("connect http://gpu.example.org ~/t") == Command("connect", "http://gpu.example.org", "~/t")
    assert match("connect the dots") is None
    assert match("connect dots fast") is None
    for line in ("connect foo", "connect gpu.example.org:8787", "connect gpu.example.org:8787 ~/t"):
        with pytest.raises(UsageError, match=r"is not the address of a server\. Write http://host:port\."):
            match(line)


@pytest.mark.parametrize(
    "prompt",
    [
        "show me a castle",
        "wait for it",
        "cancel culture",
        f"show {ID} please",
        "a cat",
        "",
        "waiting",
        "show 'x",
        "history of art",
    ],
)
def test_anything_else_is_a_prompt(prompt: str) -> None:
    assert match(prompt) is None
