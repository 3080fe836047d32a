from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpugen.save import file_stem, write_new, write_over
from gpugen_protocol.errors import SaveFailed


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [
        ("a slice of pizza", "a-slice-of-pizza-7"),
        ("  Crème brûlée!! ", "creme-brulee-7"),
        ("../../etc/passwd", "etc-passwd-7"),
        ("猫", "image-7"),
        ("con: a/b\\c\0", "con-a-b-c-7"),
        ("very " * 100, f"{'very-' * 12}7"),
    ],
)
def test_a_file_is_named_after_the_prompt_and_the_seed(prompt: str, stem: str) -> None:
    assert file_stem(prompt, 7) == stem


def test_a_file_that_is_there_is_never_touched(tmp_path: Path) -> None:
    paths = [write_new(tmp_path, "cat-1", content) for content in (b"first", b"second", b"third")]
    assert [path.name for path in paths] == ["cat-1.png", "cat-1-2.png", "cat-1-3.png"]
    assert [path.read_bytes() for path in paths] == [b"first", b"second", b"third"]


def test_many_writers_at_once_each_get_a_file_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda i: write_new(tmp_path, "cat", str(i).encode()), range(40)))
    assert sorted(int(path.read_bytes()) for path in set(paths)) == list(range(40))
    assert len(list(tmp_path.iterdir())) == 40


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    assert write_new(tmp_path / "a" / "b", "cat", b"x").read_bytes() == b"x"


def test_a_named_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(b"old")
    assert write_over(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_of_a_link_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target.png", tmp_path / "link.png"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_over(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(SaveFailed, match="not a plain file"):
        write_over(pipe, b"new")
    assert pipe.is_fifo()


def test_new_files_get_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    mode = (tmp_path / "other").stat().st_mode
    assert write_new(tmp_path, "cat", b"x").stat().st_mode == mode


def test_a_file_too_large_for_the_system_leaves_nothing_behind(tmp_path: Path) -> None:
    program = f"""
        import resource, pathlib
        from gpugen.save import write_new
        from gpugen_protocol.errors import SaveFailed
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_new(pathlib.Path({str(tmp_path)!r}), "cat", bytes(5000))
        except SaveFailed as error:
            print(error)
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=30, check=False)
    assert "File too large" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_neither_half_a_file_nor_touches_the_old_one(small_disk: Path) -> None:
    old = write_over(small_disk / "cat.png", b"old")
    for save in (
        lambda: write_over(old, bytes(100_000)),
        lambda: write_new(small_disk, "cat", bytes(100_000)),
    ):
        with pytest.raises(SaveFailed, match="No space left"):
            save()
    assert list(small_disk.iterdir()) == [old]
    assert old.read_bytes() == b"old"


def test_a_file_where_the_folder_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SaveFailed, match="Nothing could be saved"):
        write_new(tmp_path / "file", "cat", b"x")
