from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from tools.eval_emoji import __main__ as command
from tools.eval_emoji import bars, evaluation, sheets
from tools.eval_emoji.bars import BARS, Bar
from tools.eval_emoji.prompts import SHEET

METRICS = {"a": {"b": 0.5}, "c": 2}


def test_a_bar_holds_on_its_right_side() -> None:
    assert Bar("a.b", 0.5).holds(METRICS)
    assert not Bar("a.b", 0.6).holds(METRICS)
    assert Bar("c", 2, at_least=False).holds(METRICS)
    assert not Bar("c", 1, at_least=False).holds(METRICS)
    assert not Bar("not.measured", 0).holds(METRICS)
    assert not Bar("not.measured", 0, at_least=False).holds(METRICS)


def test_the_bars_that_fail_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "BARS", (Bar("a.b", 0.9), Bar("c", 1)))
    monkeypatch.setattr(bars, "ASKED", (Bar("a.b", 0.9),))
    assert bars.failed(METRICS) == ("a.b",)
    assert bars.report(METRICS).splitlines()[1].startswith("FAILS  a.b")


def test_a_bar_that_was_lowered_holds_and_says_what_was_asked_for() -> None:
    line = Bar("a.b", 0.4, asked=0.9).line(METRICS)
    assert line.startswith("holds  a.b")
    assert line.endswith("MISSES what was asked for, >= 0.9")
    assert "MISSES" not in Bar("a.b", 0.4, asked=0.5).line(METRICS)


@pytest.mark.parametrize(("recall", "status"), [(0.95, 0), (0.5, 1)])
def test_the_command_fails_when_a_bar_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recall: float, status: int
) -> None:
    class Stub:
        def metrics(self, parts: object) -> dict[str, object]:
            return {"held_out": {"recall_1": recall}}

    monkeypatch.setattr(bars, "BARS", (Bar("held_out.recall_1", 0.9),))
    monkeypatch.setattr(command.Artist, "load", lambda *_: None)
    monkeypatch.setattr(command.Evaluation, "of", lambda *_: Stub())
    monkeypatch.setattr(command, "load_seconds", lambda _: 0.1)
    assert command.main([str(tmp_path)]) == status
    assert (tmp_path / "metrics.json").exists()


def test_the_shipped_metrics_hold_every_bar() -> None:
    import json

    import gpugen_worker

    folder = Path(gpugen_worker.__file__).parent / "models" / "emoji"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert bars.failed(metrics) == ()
    assert len(BARS) >= 12
    assert abs(metrics["bytes"] - evaluation.folder_bytes(folder)) < 50_000


def test_the_fewest_steps_are_those_that_keep_the_best_recall() -> None:
    rows = [
        {"steps": 4.0, "recall_1": 0.7},
        {"steps": 8.0, "recall_1": 0.995},
        {"steps": 20.0, "recall_1": 1.0},
    ]
    assert evaluation.fewest(rows) == 8


def test_the_sheet_has_48_prompts_and_the_blind_one_the_same_in_another_order(tmp_path: Path) -> None:
    assert len(SHEET) == len(set(SHEET)) == 48
    images = torch.rand(48, 3, 1, 1).expand(-1, -1, 128, 128)
    sheets.contact_sheet(images, tmp_path / "sheet.png", sheets.COLUMNS)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (12 * 128, 4 * 128)
    sheets.draw_blind(images, SHEET, tmp_path / "blind.png", tmp_path / "key.json", 0)
    import json

    key = json.loads((tmp_path / "key.json").read_text())
    assert sorted(key.values()) == sorted(SHEET)
    assert tuple(key.values()) != SHEET
