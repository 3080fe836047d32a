import errno
import os

import pytest

from gpugen_protocol.errors import NotFound, StorageFull, Unavailable
from gpugen_server.images import directory
from gpugen_server.images.directory import Directory
from gpugen_server.queue import ids


@pytest.fixture
def store(tmp_path):
    store = Directory(tmp_path / "images")
    store.prepare()
    return store


def files(store):
    return [path for path in store.root.rglob("*") if path.is_file()]


def test_what_is_written_is_read_back_and_private(store):
    name = store.write(ids.ulid(), 0, 1, b"png")
    assert store.read(name) == b"png"
    assert (store.root / name).stat().st_mode & 0o077 == 0


def test_two_attempts_never_share_a_file(store):
    task = ids.ulid()
    assert store.write(task, 0, 1, b"a") != store.write(task, 0, 1, b"b")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_leaves_no_half_file(store, monkeypatch, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(directory.os, "fsync", full)
    with pytest.raises(StorageFull):
        store.write(ids.ulid(), 0, 1, b"png")
    assert files(store) == []


def test_a_broken_disk_is_not_called_full(store, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(directory.os, "fsync", broken)
    with pytest.raises(Unavailable, match="Input/output"):
        store.write(ids.ulid(), 0, 1, b"png")
    assert files(store) == []


def test_a_file_that_somebody_deleted_is_not_found(store):
    name = store.write(ids.ulid(), 0, 1, b"png")
    (store.root / name).unlink()
    with pytest.raises(NotFound, match="gone"):
        store.read(name)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../b.png", "", "00000/x.png"])
def test_names_that_are_not_ours_touch_nothing(store, name):
    with pytest.raises(AssertionError):
        store.read(name)


def test_removing_what_is_gone_does_not_matter(store):
    name = store.write(ids.ulid(), 0, 1, b"png")
    assert store.remove([name, name]) == []
    assert files(store) == []


def test_what_an_interrupted_write_left_goes_at_the_next_start(store):
    name = store.write(ids.ulid(), 0, 1, b"png")
    left = (store.root / name).with_suffix(".part")
    left.write_bytes(b"half")
    store.prepare()
    assert left in files(store), "another server may be writing it"
    os.utime(left, (1.0, 1.0))
    store.prepare()
    assert files(store) == [store.root / name]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be made"):
        Directory(tmp_path / "file" / "images").prepare()
