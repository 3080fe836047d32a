"""The autoscaler in real server processes: who starts a worker, and what is left when one is killed."""

from contextlib import ExitStack, contextmanager
from threading import Event

import psutil
import pytest
from tests.compute import PROJECT, TEMPLATE, FakeCompute
from tests.fakes import DrawingWorker, until
from tests.server.programs import ServerProcess, alive

from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol.request import TaskRequest
from gpugen_server import tokens
from gpugen_server.database import Database

CAT = TaskRequest(prompt="a cat", width=64, height=64, steps=1)
pytestmark = pytest.mark.chaos


@contextmanager
def _opened(url):
    database = Database(url)
    database.prepare()
    try:
        yield database
    finally:
        database.disconnect()


def _workers(*servers):
    """The worker processes of all these servers, without their guards."""
    found = [process for server in servers for process in server.offspring()]
    return [
        process for process in found if "gpugen_worker" in (words := _words(process)) and "--" not in words
    ]


def _words(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_two_servers_of_one_database_have_one_worker_and_the_second_starts_one_when_the_first_is_killed(
    tmp_path, valkey, postgres_url
):
    shared = {
        "GPUGEN_DATABASE_URL": postgres_url,
        "GPUGEN_REDIS_URL": f"unix://{valkey['unix_socket_path']}",
        "GPUGEN_STORAGE_URL": (tmp_path / "images").as_uri(),
        "GPUGEN_GENERATOR": "fake",
        "GPUGEN_AUTOSCALER": "local",
    }
    with ExitStack() as stack:
        database = stack.enter_context(_opened(postgres_url))
        token = database.call(tokens.create, "user", "ann").token
        servers = []
        for name in "ab":
            (tmp_path / name).mkdir()
            servers.append(stack.push(ServerProcess(tmp_path / name, **shared)))
        one, two = [server.__enter__() for server in servers]
        tasks = [Tasks(Connection(server.url, token)) for server in (one, two)]

        ids = [tasks[turn % 2].submit(CAT).id for turn in range(4)]
        until(lambda: {tasks[0].get(task).state for task in ids} == {"succeeded"}, 60)
        assert len(_workers(one, two)) == 1
        rows = database.call(lambda store: store.rows("SELECT ended_at FROM machines"))
        assert rows == [(None,)]

        leader, other = (0, 1) if _workers(one) else (1, 0)
        family = servers[leader].offspring()
        servers[leader].process.kill()
        psutil.wait_procs(family, timeout=20)
        assert not alive(family)
        database.call(lambda store: store.change("UPDATE duties SET until = 0"))  # do not wait for that
        task = tasks[other].submit(CAT).id
        until(lambda: tasks[other].get(task).state == "succeeded", 60)
        assert len(_workers(servers[other])) == 1


def test_a_server_killed_between_the_wish_and_the_call_has_one_machine_after_its_restart(tmp_path):
    with FakeCompute() as cloud:
        environ = {
            "GPUGEN_AUTOSCALER": "gce",
            "GPUGEN_PUBLIC_URL": "https://gpugen.example.org",
            "GPUGEN_GCE_PROJECT": PROJECT,
            "GPUGEN_GCE_ZONES": "us-central1-a",
            "GPUGEN_GCE_TEMPLATE": TEMPLATE,
            "GPUGEN_GCE_API_ENDPOINT": cloud.url,
        }
        held = Event()
        cloud.fail("insert", cut="before", hold=held)
        with ServerProcess(tmp_path, **environ) as server, _opened(server.data / "gpugen.db") as database:
            token = database.call(tokens.create, "user", "ann").token
            task = Tasks(Connection(server.url, token)).submit(CAT).id
            until(lambda: cloud.calls["insert"] == 1, 60)
            server.process.kill()
            server.process.wait(10)
            wished = database.call(lambda store: store.rows("SELECT name, asked_at FROM machines"))
        held.set()
        assert [asked_at for _, asked_at in wished] == [None]
        assert cloud.vms == {}
        server.ready_file.unlink()
        with ServerProcess(tmp_path, **environ) as again:
            until(lambda: cloud.vms, 60)
            (vm,) = cloud.vms.values()
            assert vm.name == wished[0][0]
            tasks = Tasks(Connection(again.url, token))
            with DrawingWorker(again.url, vm.metadata["gpugen-token"]):
                until(lambda: tasks.get(task).state == "succeeded", 30)
            assert [each.name for each in tasks.workers().machines] == [vm.name]
            assert tasks.stats().cost.today >= 0
