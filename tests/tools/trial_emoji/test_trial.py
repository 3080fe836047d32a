from __future__ import annotations

import json
from pathlib import Path

import pytest
from tools.train_emoji import glyphs, vocabulary
from tools.train_emoji.vocabulary import Thing
from tools.trial_emoji.__main__ import main
from tools.trial_emoji.table import tables
from tools.trial_emoji.trial import NAMES

import gpugen_worker

MODEL = Path(gpugen_worker.__file__).parent / "models" / "emoji"

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(not glyphs.FONT.exists(), reason="needs Noto Color Emoji"),
]


def test_a_trial_of_a_method_and_one_of_latents_end_in_tables(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    things: tuple[Thing, ...],
) -> None:
    monkeypatch.setattr(vocabulary, "load", lambda: things[:3])
    flow, shape = NAMES.index("flow matching, uniform t") + 1, len(NAMES)
    only = ["--only", str(flow), str(shape)]
    size = ["--seconds", "0.2", "--pictures", "2", "--bank", "60"]
    main([str(MODEL), "--out", str(tmp_path), *only, *size])
    found = [json.loads(each.read_text()) for each in sorted(tmp_path.glob("*.json"))]
    assert [each["name"] for each in found] == [NAMES[flow - 1], NAMES[-1]]
    assert all(each["steps"] >= 1 and each["count"] == 2 for each in found)
    assert found[0]["error, much noise"] > found[0]["error, little noise"]
    printed = capsys.readouterr().out
    assert NAMES[flow - 1] in printed and NAMES[-1] in printed


def test_what_cannot_be_compared_stands_in_no_column() -> None:
    of_method = {"name": "a way", "seed": 1, "steps": 1500, "recall_1": 0.5}
    of_latents = {"name": "a shape", "seed": 0, "steps": 9, "recall_1": 1.0, "psnr": 20.04}
    first, second = tables([of_method, of_latents]).split("\n\n")
    assert first.splitlines()[-1] == "| a way, seed 1 | 1,500 | 0.500 |"
    assert second.splitlines()[-1] == "| a shape | 20.0 dB | 9 | 1.000 |"
