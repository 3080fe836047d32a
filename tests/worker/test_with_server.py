"""Worker processes at the real server."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from tests.worker.conftest import WorkerProcess, registry_entry
from tests.worker.scripted_server import wait_until

from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import Task

Start = Callable[..., WorkerProcess]


def at(server: Any, start_worker: Start, *arguments: str, **environ: str) -> WorkerProcess:
    return start_worker(server.url, *arguments, token=server.worker_token, **environ)


def finished(server: Any, task: Task, seconds: float = 60.0) -> Task:
    wait_until(lambda: server.tasks().get(task.id).finished, seconds)
    return server.tasks().get(task.id)


def running(server: Any, task: Task, attempt: int = 1) -> None:
    """Wait until that attempt has drawn a step."""

    def drawing() -> bool:
        now = server.tasks().get(task.id)
        return now.attempt == attempt and now.progress is not None

    wait_until(drawing, 30)


def test_a_real_pipeline_draws_a_task_of_the_real_server(
    make_server: Any, start_worker: Start, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    entry = registry_entry("tiny", "sd", tiny_folder("sd"))
    data = tmp_path / "data"
    data.mkdir()
    (data / "models.toml").write_text(entry)
    server = make_server(data=data)
    environ = {"GPUGEN_GENERATOR": "diffusers", "GPUGEN_DATA_DIR": str(data)}
    worker = at(server, start_worker, "--model", "tiny", **environ)
    task = server.tasks().submit(TaskRequest(prompt="a red cat", model="tiny", n=2, steps=3, seed=5))
    done = finished(server, task, 90)
    assert done.state == "succeeded", worker.log
    assert [image.seed for image in done.images] == [5, 6]
    assert Image.open(io.BytesIO(server.tasks().image(task.id, 1))).size == (32, 32)
    assert done.timings.loading > 0
    assert done.timings.drawing > 0
    phases = [event.phase for event in server.tasks().events(task.id).events if hasattr(event, "phase")]
    assert [phase for phase in phases if phase != "queued"][-3:] == ["drawing", "decoding", "uploading"]
    assert "loading" in phases


def test_a_worker_that_is_told_to_stop_hands_its_task_to_another_in_less_than_a_second(
    server: Any, start_worker: Start
) -> None:
    first = at(server, start_worker, "--grace", "2", GPUGEN_FAKE_STEP_SECONDS="1")
    task = server.tasks().submit(TaskRequest(prompt="a cat", steps=60))
    running(server, task)
    at(server, start_worker)
    wait_until(lambda: len(server.tasks().workers().workers) == 2, 30)
    told = time.monotonic()
    first.process.terminate()
    wait_until(lambda: server.tasks().get(task.id).attempt == 2)
    assert time.monotonic() - told < 1.0
    assert first.wait() == 0
    assert finished(server, task).state == "succeeded"


def test_a_killed_worker_loses_its_lease_and_the_second_attempt_succeeds(
    make_server: Any, start_worker: Start
) -> None:
    server = make_server(lease_seconds=1.5, heartbeat_seconds=0.4)
    first = at(server, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.5")
    task = server.tasks().submit(TaskRequest(prompt="a cat", steps=100))
    running(server, task)
    first.process.kill()
    at(server, start_worker)
    done = finished(server, task)
    assert (done.state, done.attempt) == ("succeeded", 2)


def test_a_step_longer_than_the_lease_does_not_lose_it(make_server: Any, start_worker: Start) -> None:
    server = make_server(lease_seconds=1.2, heartbeat_seconds=0.3)
    at(server, start_worker, GPUGEN_FAKE_STEP_SECONDS="3")
    task = server.tasks().submit(TaskRequest(prompt="a cat", steps=1))
    done = finished(server, task)
    assert (done.state, done.attempt) == ("succeeded", 1)


def test_a_canceled_task_stops_and_keeps_the_images_it_has(server: Any, start_worker: Start) -> None:
    at(server, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.1")
    task = server.tasks().submit(TaskRequest(prompt="a cat", steps=4, n=16))
    wait_until(lambda: server.tasks().get(task.id).images, 30)
    told = time.monotonic()
    server.tasks().cancel(task.id)
    done = finished(server, task)
    assert done.state == "canceled"
    assert time.monotonic() - told < 2
    assert 1 <= len(done.images) < 16


def test_a_restarted_server_finds_its_worker_and_its_task_again(
    make_server: Any, start_worker: Start
) -> None:
    server = make_server(lease_seconds=20)
    at(server, start_worker, GPUGEN_FAKE_STEP_SECONDS="0.2")
    task = server.tasks().submit(TaskRequest(prompt="a cat", steps=15))
    running(server, task)
    server.restart()
    done = finished(server, task)
    assert (done.state, done.attempt) == ("succeeded", 1)


def broken_folders(whole: Path, root: Path) -> dict[str, Path]:
    """Copies of a model folder, by the code that a task with each must fail with."""
    codes = ("model_incomplete", "model_not_safetensors", "model_missing")
    half, pickle, empty = (Path(shutil.copytree(whole, root / code)) for code in codes)
    name = Path("unet", "diffusion_pytorch_model.safetensors")
    (half / name).write_bytes((half / name).read_bytes()[:5000])
    (pickle / name).rename((pickle / name).with_suffix(".bin"))
    (empty / "model_index.json").unlink()
    return dict(zip(codes, (half, pickle, empty), strict=True))


def test_broken_model_folders_fail_their_tasks_at_once_each_with_its_code_and_the_worker_goes_on(
    make_server: Any, start_worker: Start, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folders = broken_folders(tiny_folder("sd"), tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / "models.toml").write_text("".join(registry_entry(code, "sd", folders[code]) for code in folders))
    server = make_server(data=data)
    worker = at(server, start_worker, GPUGEN_GENERATOR="diffusers", GPUGEN_DATA_DIR=str(data))
    tasks = {code: server.tasks().submit(TaskRequest(prompt="a cat", model=code)) for code in folders}
    for code, task in tasks.items():
        done = finished(server, task, 90)
        assert (done.state, done.attempt) == ("failed", 1)
        assert done.error.code == code
        assert done.error.hint
    assert worker.process.poll() is None
