"""Tests of the embedded Redis server: the real one."""

import asyncio
import os
import signal
import stat
import time
from pathlib import Path

import psutil
import pytest
import redis.asyncio

from gpugen_protocol.errors import MissingExtra, Unavailable
from gpugen_server import embedded_redis
from gpugen_server.embedded_redis import EmbeddedRedis


async def _until_answers(url):
    async with asyncio.timeout(10):
        while True:
            try:
                async with redis.asyncio.Redis.from_url(url) as client:
                    return await client.ping()
            except redis.exceptions.ConnectionError:
                await asyncio.sleep(0.02)


def test_it_is_up_at_once_serves_streams_and_leaves_nothing(tmp_path):
    async def scenario():
        since = time.monotonic()
        async with EmbeddedRedis(tmp_path, tmp_path) as url:
            assert time.monotonic() - since < 5
            async with redis.asyncio.Redis.from_url(url) as client:
                await client.xadd("s", {"a": "b"})
                assert [fields for _, fields in await client.xrange("s")] == [{b"a": b"b"}]
                assert (await client.config_get("port"))["port"] == "0"
                assert (await client.config_get("save"))["save"] == ""
            (socket,) = tmp_path.glob("*.sock")
            assert url == f"unix://{socket}"
            assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        return [path.name for path in tmp_path.iterdir()]

    assert asyncio.run(scenario()) == ["valkey.log"]


def test_a_data_directory_too_long_for_a_socket_gets_a_private_folder_instead(tmp_path):
    data = tmp_path / ("x" * 120)
    data.mkdir()

    async def scenario():
        async with EmbeddedRedis(data, data) as url:
            folder = Path(url.removeprefix("unix://")).parent
            assert len(url.removeprefix("unix://")) <= 107
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert await _until_answers(url)
            return folder

    asyncio.run(scenario()).rmdir()


def test_somebody_elses_folder_is_never_used(tmp_path, monkeypatch):
    data = tmp_path / ("y" * 120)
    folder = embedded_redis.socket_path(data).parent
    folder.chmod(0o755)
    try:
        other = embedded_redis.socket_path(data).parent
        assert other != folder
        other.rmdir()
    finally:
        folder.rmdir()


def test_it_is_started_again_when_it_dies(tmp_path):
    async def scenario():
        async with EmbeddedRedis(tmp_path, tmp_path) as url:
            async with redis.asyncio.Redis.from_url(url) as client:
                first = (await client.info("server"))["process_id"]
            os.kill(first, signal.SIGKILL)
            psutil.wait_procs([psutil.Process(first)] if psutil.pid_exists(first) else [], timeout=20)
            async with asyncio.timeout(10):
                while True:
                    await _until_answers(url)
                    async with redis.asyncio.Redis.from_url(url) as client:
                        second = (await client.info("server"))["process_id"]
                    if second != first:
                        return True

    assert asyncio.run(scenario())


def test_why_it_does_not_start_is_said_in_its_own_words(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_redis, "MEMORY", "a lot")

    async def scenario():
        async with EmbeddedRedis(tmp_path, tmp_path):
            pass

    with pytest.raises(Unavailable, match=r"does not start: .*memory"):
        asyncio.run(scenario())
    assert not list(tmp_path.glob("*.sock"))


def test_without_the_wheel_the_install_that_brings_it_is_named(monkeypatch):
    monkeypatch.setattr(embedded_redis, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"gpugen\[server\]"):
        embedded_redis.find_program()


def test_on_windows_it_is_said_what_works(monkeypatch):
    monkeypatch.setattr(embedded_redis.sys, "platform", "win32")
    with pytest.raises(MissingExtra, match="client, magic and worker work on Windows"):
        embedded_redis.find_program()


def test_the_server_of_a_killed_process_cannot_take_the_socket_of_the_next_one(tmp_path):
    async def scenario():
        (tmp_path / "valkey-0.sock").touch()
        both = EmbeddedRedis(tmp_path, tmp_path), EmbeddedRedis(tmp_path, tmp_path)
        async with both[0] as first, both[1] as second:
            assert first != second
            return [path.name for path in tmp_path.glob("*.sock")] == [Path(second[7:]).name]

    assert asyncio.run(scenario())
