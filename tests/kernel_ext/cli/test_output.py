from __future__ import annotations

import json

import pytest

from gpugen.cli.logs import line
from gpugen.cli.output import print_json, print_table
from gpugen.harmless import clean
from gpugen_protocol.events import LogEvent
from gpugen_protocol.task import Image


def test_control_characters_and_turned_writing_are_taken_out() -> None:
    assert clean("a\x1b[31mb\x07\x9b\u202ec\u2066é\n\tü") == "a[31mbcé\n\tü"


def test_structs_become_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"image": Image(index=0, seed=7, width=8, height=8, bytes=1, sha256="é")})
    assert json.loads(capsys.readouterr().out)["image"]["sha256"] == "é"


def test_elsewhere_than_on_a_terminal_a_table_is_aligned_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "state"), [("long-name", None), ("x", "idle\x1b")], empty="Nothing.")
    assert capsys.readouterr().out == "NAME       STATE\nlong-name\nx          idle\n"


def test_an_empty_table_says_so_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name",), [], empty="Nothing.")
    assert capsys.readouterr() == ("", "Nothing.\n")


def test_no_cell_of_a_table_looks_like_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "state"), [("a\nroot  idle", "busy")], empty="Nothing.")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_no_line_of_a_worker_looks_like_an_event() -> None:
    at = "2026-01-01T00:00:00Z"
    event = LogEvent(task="t", at=at, seq=1, message=f"no\n{at}  state    succeeded")
    assert line(event).splitlines()[1] == f"{' ' * len(at)}  {at}  state    succeeded"
