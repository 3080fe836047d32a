"""Tests of the private server's address: chosen once, kept, and replaced when a stranger took the port."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from gpugen_client import address


def test_it_is_chosen_once_and_kept(tmp_path):
    chosen = address.reserve(tmp_path / "data")
    assert chosen.startswith("http://127.0.0.1:")
    assert address.reserve(tmp_path / "data") == chosen
    assert address.known(tmp_path / "data") == (chosen,)


def test_many_at_once_agree_and_leave_no_drafts(tmp_path):
    together = threading.Barrier(8)

    def choose(_):
        together.wait()
        return address.reserve(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(choose, range(8)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["addresses"]


def test_the_chosen_port_is_free(tmp_path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", urlsplit(address.reserve(tmp_path)).port))


def test_former_addresses_still_mean_the_same_server(tmp_path):
    first = address.reserve(tmp_path)
    address.remember(tmp_path, "http://127.0.0.1:1")
    address.remember(tmp_path, "http://127.0.0.1:1")
    assert address.known(tmp_path) == (first, "http://127.0.0.1:1")
    assert address.reserve(tmp_path) == "http://127.0.0.1:1"
    environ = {"GPUGEN_DATA_DIR": str(tmp_path)}
    assert address.is_private(first, environ)
    assert address.is_private("http://127.0.0.1:1/", environ)
    assert not address.is_private("http://127.0.0.1:2", environ)


def test_an_address_that_comes_back_is_the_present_one(tmp_path):
    first = address.reserve(tmp_path)
    address.remember(tmp_path, "http://127.0.0.1:1")
    address.remember(tmp_path, first)
    assert address.known(tmp_path) == ("http://127.0.0.1:1", first)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError):
        address.reserve(tmp_path / "data")
