"""The startup script of machines on Compute Engine, run for real: what it starts, and that it powers off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.deploy.machine import IMAGE, ROOT, Machine, needs_curl
from tests.worker.fake_metadata import FakeMetadata
from tests.worker.scripted_server import REGISTRATION, ScriptedServer, wait_until

MACHINE = {"gpugen-image": IMAGE, "gpugen-token": REGISTRATION, "gpugen-idle-exit": "0.3"}


@pytest.fixture
def metadata() -> Iterator[FakeMetadata]:
    fake = FakeMetadata(**MACHINE)
    yield fake
    fake.close()


@needs_curl
def test_a_worker_that_was_idle_leaves_and_the_machine_is_powered_off_once(
    scripted: ScriptedServer, metadata: FakeMetadata, tmp_path: Path
) -> None:
    metadata.attributes |= {"gpugen-url": scripted.url, "gpugen-models": "emoji"}
    machine = Machine(tmp_path, metadata)
    console = machine.ended()
    assert "Idle for 0.3 s" in console
    assert "ended with code 0" in console
    assert machine.calls("poweroff") == ["poweroff "]
    assert len(scripted.sessions) == 1
    [run] = [call for call in machine.calls("docker") if call.startswith("docker run")]
    assert f" {IMAGE} worker " in run
    assert "--env GPUGEN_ONLY_MODELS=emoji" in run
    assert REGISTRATION not in run + console
    assert machine.calls("chown") == [f"chown 10001 {tmp_path}/run/token {tmp_path}/cache"]
    assert (tmp_path / "run" / "token").stat().st_mode & 0o077 == 0


@needs_curl
@pytest.mark.parametrize(
    ("trouble", "code", "says"),
    [
        ({"CRASH": "1"}, 137, "the worker starts"),
        ({"refuse": "yes"}, 3, "token"),
        ({"gpugen-url": "http://127.0.0.1:1", "GPUGEN_PATIENCE": "1"}, 4, "did not come up"),
        ({"NO_GPU": "9", "GPUGEN_PATIENCE": "1"}, 4, "the GPU's driver did not come up"),
        ({"gpugen-token": ""}, 2, "the metadata lack gpugen-token"),
        ({"gpugen-image": "worker:latest"}, 2, "not named by its digest"),
    ],
    ids=["crash", "refused", "no server", "no driver", "no token", "no digest"],
)
def test_whatever_goes_wrong_the_machine_is_powered_off_once(
    scripted: ScriptedServer,
    metadata: FakeMetadata,
    tmp_path: Path,
    trouble: dict[str, str],
    code: int,
    says: str,
) -> None:
    scripted.refuse_registration = "refuse" in trouble
    told = {name: value for name, value in trouble.items() if name.startswith("gpugen-")}
    metadata.attributes |= {"gpugen-url": scripted.url, **told}
    machine = Machine(tmp_path, metadata, **{k: v for k, v in trouble.items() if k not in told})
    console = machine.ended()
    assert says in console
    assert f"ended with code {code}" in console
    assert machine.process.returncode == code
    assert machine.calls("poweroff") == ["poweroff "]


@needs_curl
def test_a_script_that_is_told_to_stop_powers_the_machine_off_once(
    scripted: ScriptedServer, metadata: FakeMetadata, tmp_path: Path
) -> None:
    metadata.attributes |= {"gpugen-url": scripted.url, "gpugen-idle-exit": "60"}
    machine = Machine(tmp_path, metadata)
    wait_until(lambda: bool(scripted.claims), 30)
    machine.process.send_signal(signal.SIGTERM)
    metadata.preempt()  # as the cloud does it: the worker leaves at once
    assert "ended with code 143" in machine.ended()
    assert machine.calls("poweroff") == ["poweroff "]


def linted(command: Sequence[str], *files: Path) -> str:
    found = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
    return found.stdout + found.stderr


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").rglob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_without_reproach(script: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    assert linted([str(shellcheck)], script) == ""
    assert os.access(script, os.X_OK)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd on this machine")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "systemd" / "gpugen-worker.service").read_text()
    unit = tmp_path / "gpugen-worker.service"
    unit.write_text(text.replace("/opt/gpugen/bin/gpugen", sys.executable))
    assert linted(["systemd-analyze", "verify", "--man=no"], unit) == ""
