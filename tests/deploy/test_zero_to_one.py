"""From zero machines to one and back: server, cloud, startup script and worker as they meet in the field."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.compute import PROJECT, TEMPLATE, FakeCompute, Vm
from tests.deploy.machine import IMAGE, Machine, needs_curl
from tests.fakes import until
from tests.server.programs import ServerProcess
from tests.worker.fake_metadata import FakeMetadata

from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol.request import TaskRequest
from gpugen_server import tokens
from gpugen_server.database import Database

PUBLIC = "https://gpugen.example.org"
NEED = {
    "GPUGEN_AUTOSCALER": "gce",
    "GPUGEN_PUBLIC_URL": PUBLIC,
    "GPUGEN_GCE_PROJECT": PROJECT,
    "GPUGEN_GCE_ZONES": "us-central1-a",
    "GPUGEN_GCE_TEMPLATE": TEMPLATE,
    "GPUGEN_IDLE_EXIT": "0.5",
}


def user_token(server: ServerProcess) -> str:
    database = Database(server.data / "gpugen.db")
    try:
        return database.call(tokens.create, "user", "ann").token
    finally:
        database.disconnect()


def booted(cloud: FakeCompute, server: ServerProcess) -> tuple[Vm, FakeMetadata]:
    """The machine that the server asked for, once it runs, and its metadata as it sees them."""
    until(lambda: any(vm.status == "RUNNING" for vm in cloud.running()), 60)
    (vm,) = cloud.running()
    assert vm.metadata["gpugen-url"] == PUBLIC
    return vm, FakeMetadata(**{**vm.metadata, "gpugen-url": server.url})  # its name is not known here


@needs_curl
@pytest.mark.chaos
def test_a_task_brings_a_machine_which_draws_it_and_powers_itself_off_and_the_next_task_brings_another(
    tmp_path: Path,
) -> None:
    with FakeCompute() as cloud:
        cloud.template["metadata"]["items"].append({"key": "gpugen-image", "value": IMAGE})
        with ServerProcess(tmp_path, GPUGEN_GCE_API_ENDPOINT=cloud.url, **NEED) as server:
            client = Tasks(Connection(server.url, user_token(server)))
            task = client.submit(TaskRequest(prompt="a cat", steps=2)).id
            vm, metadata = booted(cloud, server)
            assert vm.metadata["startup-script"]  # the template's own
            machine = Machine(tmp_path, metadata)
            until(lambda: client.get(task).finished, 60)
            assert client.get(task).state == "succeeded"
            console = machine.ended()
            assert "Idle for 0.5 s" in console
            assert machine.calls("poweroff") == ["poweroff "]
            metadata.close()
            cloud.power_off(vm.name)
            client.submit(TaskRequest(prompt="a dog", steps=2))
            until(lambda: cloud.running() and vm.name not in cloud.vms, 60)
            assert len(cloud.vms) == 1
