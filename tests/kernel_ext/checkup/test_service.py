"""Tests of what the doctor says of a server's workers."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import RunningServer

from gpugen.checkup import service
from gpugen_server.autoscale import machines
from gpugen_server.autoscale.provider import Choice


def test_a_machine_on_its_way_is_no_reason_to_worry(server: RunningServer, tmp_path: Path) -> None:
    environ = {
        "GPUGEN_URL": server.url,
        "GPUGEN_TOKEN": server.user_token,
        "GPUGEN_DATA_DIR": str(tmp_path),
        "GPUGEN_CONFIG": str(tmp_path / "none.toml"),
    }
    (tmp_path / "none.toml").touch()
    assert service.workers(environ).state == "warn"
    choice = Choice(place="", text="g2-standard-4 in us-central1-a")
    server.query(machines.intend, "gce", choice)
    found = service.workers(environ)
    assert (found.state, found.text) == ("ok", f"none yet; a machine is on its way: {choice.text}")
