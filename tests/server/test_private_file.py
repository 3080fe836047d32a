"""Tests of files for their owner's eyes."""

import stat

import pytest

from gpugen_server import private_file


def test_only_the_owner_may_read_it_even_over_a_public_one(tmp_path):
    path = tmp_path / "server.json"
    path.write_text("old")
    path.chmod(0o644)
    private_file.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_nothing(tmp_path):
    (tmp_path / "server.json").mkdir()
    with pytest.raises(OSError):
        private_file.write(tmp_path / "server.json", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["server.json"]
