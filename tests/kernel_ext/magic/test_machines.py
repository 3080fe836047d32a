"""A cell that waits for a machine which has yet to start: it says at every stage what it waits for."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.compute import PROJECT, TEMPLATE, FakeCompute
from tests.fakes import DrawingWorker, until
from tests.kernel_ext.magic.conftest import Notebook
from tests.server.programs import ServerProcess, environment

from gpugen_server import tokens
from gpugen_server.database import Database

NEED = {
    "GPUGEN_AUTOSCALER": "gce",
    "GPUGEN_PUBLIC_URL": "https://gpugen.example.org",
    "GPUGEN_GCE_PROJECT": PROJECT,
    "GPUGEN_GCE_ZONES": "us-central1-a,us-central1-b",
    "GPUGEN_GCE_TEMPLATE": TEMPLATE,
    "GPUGEN_GCE_MACHINES": "g2-standard-4:spot",
}
STAGES = (
    "Starting a worker on g2-standard-4 (spot) in us-central1-a (place 1 of 2)",
    "(place 2 of 2). Before: g2-standard-4 (spot) in us-central1-a: The zone does not have enough resources",
    "The machine is there, its worker is coming up",
)


@pytest.mark.chaos
def test_a_cell_says_every_stage_from_no_machine_to_the_image(tmp_path: Path) -> None:
    with FakeCompute(seconds=1) as cloud:
        cloud.stock_out("us-central1-a")
        with ServerProcess(tmp_path, GPUGEN_GCE_API_ENDPOINT=cloud.url, **NEED) as server:
            token = _token(server)
            env = environment(tmp_path / "user", GPUGEN_URL=server.url, GPUGEN_TOKEN=token)
            book = Notebook(("%%gpugen --progress text --steps 2\na cat",), {**os.environ, **env}, tmp_path)
            with ThreadPoolExecutor(1) as pool:
                running = pool.submit(book.run)
                for stage in STAGES:
                    until(lambda stage=stage: stage in book.text(0) or running.done(), 60)
                    assert stage in book.text(0)
                (vm,) = cloud.running()
                with DrawingWorker(server.url, vm.metadata["gpugen-token"]) as worker:
                    worker.hold()
                    until(lambda: "rawing" in book.text(0), 30)
                    worker.go_on()
                    running.result(60)
    assert "Done in" in book.text(0)


def _token(server: ServerProcess) -> str:
    database = Database(server.data / "gpugen.db")
    try:
        return database.call(tokens.create, "user", "ann").token
    finally:
        database.disconnect()
