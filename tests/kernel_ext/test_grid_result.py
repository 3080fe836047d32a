from __future__ import annotations

import sys
from typing import Any

import pytest
from tests.kernel_ext.test_result import Pictures, task

from gpugen.grid_result import GridResult
from gpugen.result import Result
from gpugen_protocol.errors import MissingExtra


def tried() -> GridResult:
    points: list[dict[str, Any]] = [{"steps": 4, "size": (64, 32)}, {"steps": 8, "size": (64, 32)}]
    return GridResult(points, [Result(Pictures(), task(2)) for _ in points])


def test_a_data_frame_has_a_row_for_each_image() -> None:
    frame = tried().to_dataframe()

    assert list(frame.columns) == ["steps", "size", "image_seed", "seconds", "task", "image"]
    assert list(frame["steps"]) == [4, 4, 8, 8]
    assert list(frame["image_seed"]) == [7, 8, 7, 8]
    assert set(frame["size"]) == {"64x32"}
    assert frame.loc[3, "image"].size == (64, 32)
    assert frame.groupby("steps")["image_seed"].count().to_dict() == {4: 2, 8: 2}


def test_without_pandas_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="needs pandas"):
        tried().to_dataframe()
