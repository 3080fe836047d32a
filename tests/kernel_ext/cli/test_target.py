from __future__ import annotations

from pathlib import Path

import pytest

from gpugen.cli.target import Target
from gpugen_protocol.errors import InvalidRequest


def test_without_out_new_files_go_to_the_working_directory() -> None:
    assert Target.of(None, 1) == Target(Path())


def test_a_name_ending_in_png_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pizza.PNG"
    assert Target.of(path, 1) == Target(path.parent, path)


@pytest.mark.parametrize("n", [1, 4])
def test_any_other_name_is_a_folder(tmp_path: Path, n: int) -> None:
    assert Target.of(tmp_path / "pictures", n) == Target(tmp_path / "pictures")


def test_a_folder_that_is_there_is_a_folder_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "v1.png").mkdir()
    assert Target.of(tmp_path / "v1.png", 1).file is None


def test_several_images_do_not_go_into_one_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="-o names a folder"):
        Target.of(tmp_path / "pizza.png", 2)


def test_only_png_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"pizza\.png"):
        Target.of(tmp_path / "pizza.jpg", 1)


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file" / "sub", Path("/proc/nowhere")):
        with pytest.raises(InvalidRequest, match="cannot be saved"):
            Target.of(place, 1)


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    Target.of(tmp_path / "a" / "b", 1)
    assert list(tmp_path.iterdir()) == []
