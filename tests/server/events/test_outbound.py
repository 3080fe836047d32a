import asyncio

import pytest

from gpugen_server.events import outbound
from gpugen_server.events.outbound import Outbound, TooSlowError


def drain(out, count):
    async def get():
        return [await asyncio.wait_for(out.get(), 1) for _ in range(count)]

    return asyncio.run(get())


def test_messages_come_out_in_order():
    out = Outbound()
    for number in range(3):
        out.put(b"%d" % number)
    assert drain(out, 3) == [b"0", b"1", b"2"]


def test_only_the_newest_of_a_live_kind_is_kept_and_numbered_ones_all_are():
    out = Outbound()
    out.put(b"first")
    for step in range(100):
        out.put_live(("t", "progress"), b"step %d" % step)
    out.put_live(("t", "preview"), b"picture")
    out.put_live(("other", "progress"), b"other")
    out.put(b"last")
    assert drain(out, 5) == [b"first", b"step 99", b"picture", b"other", b"last"]


def test_a_live_message_that_was_sent_is_not_replaced_any_more():
    out = Outbound()
    out.put_live(("t", "progress"), b"1")
    assert drain(out, 1) == [b"1"]
    out.put_live(("t", "progress"), b"2")
    assert drain(out, 1) == [b"2"]


def test_too_much_ends_the_queue_and_frees_its_memory(monkeypatch):
    monkeypatch.setattr(outbound, "MAX_BYTES", 1000)
    out = Outbound()
    for _ in range(11):
        out.put(b"x" * 100)
    assert not out._queue
    with pytest.raises(TooSlowError):
        drain(out, 1)


def test_a_replay_waits_for_room(monkeypatch):
    monkeypatch.setattr(outbound, "ROOM", 150)

    async def main():
        out = Outbound()
        out.put(b"x" * 100)
        await asyncio.wait_for(out.room(), 1)
        out.put(b"x" * 100)
        waiting = asyncio.create_task(out.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        await out.get()
        await asyncio.wait_for(waiting, 1)

    asyncio.run(main())


def test_a_reader_that_waits_is_woken():
    async def main():
        out = Outbound()
        reader = asyncio.create_task(out.get())
        await asyncio.sleep(0)
        out.put(b"news")
        return await asyncio.wait_for(reader, 1)

    assert asyncio.run(main()) == b"news"


class Socket:
    """Takes messages at once while it is open."""

    def __init__(self):
        self.open = True
        self.sent = []

    def ready(self):
        return self.open

    def send(self, body):
        self.sent.append(body)


def test_while_nothing_waits_messages_go_straight_to_the_socket():
    socket = Socket()
    out = Outbound(socket)
    out.put(b"1")
    out.put_live(("t", "progress"), b"2")
    assert (socket.sent, len(out._queue)) == ([b"1", b"2"], 0)


def test_behind_a_full_socket_the_order_is_kept():
    socket = Socket()
    out = Outbound(socket)
    socket.open = False
    out.put(b"1")
    socket.open = True
    out.put(b"2")
    assert socket.sent == []

    async def main():
        first = await out.batch(1)
        out.put(b"3")  # the first has been taken and may not have reached the socket
        assert socket.sent == []
        rest = await out.batch()
        reader = asyncio.create_task(out.batch())
        await asyncio.sleep(0)
        out.put(b"4")  # the reader has come back: what it took is sent
        reader.cancel()
        return first + rest

    assert asyncio.run(main()) == [b"1", b"2", b"3"]
    assert socket.sent == [b"4"]


def test_without_room_live_messages_are_dropped_and_others_are_not(monkeypatch):
    monkeypatch.setattr(outbound, "ROOM", 150)
    out = Outbound()
    out.put_live(("t", "preview"), b"x" * 100)
    out.put(b"y" * 100)
    assert out.crowded
    out.put_live(("u", "preview"), b"z")
    out.put_live(("t", "preview"), b"newer")
    out.put(b"last")
    assert drain(out, 3) == [b"newer", b"y" * 100, b"last"]
