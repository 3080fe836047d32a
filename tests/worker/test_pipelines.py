"""Pipelines in memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import diffusers
import msgspec
import pytest
import torch
from tests.worker.recording import Recording

from gpugen_protocol.models import Model
from gpugen_worker import download
from gpugen_worker.generator import DrawingFailed, Interrupted
from gpugen_worker.hardware import Hardware, find_hardware
from gpugen_worker.hub import Hub
from gpugen_worker.pipelines import Pipelines

CPU = Hardware("cpu", torch.float32, 8 * 2**30)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Pipelines]:
    return lambda budget=0, hardware=CPU: Pipelines(hardware, Hub(tmp_path / "revisions.json"), budget)


def named(model: Model, name: str) -> Model:
    return msgspec.structs.replace(model, name=name)


def test_a_loaded_pipeline_is_given_again_without_loading(
    make: Callable[..., Pipelines], tiny_model: Callable[[str], Model]
) -> None:
    pipelines, seen = make(), Recording()
    first = pipelines.get(tiny_model("sd"), seen)
    assert pipelines.get(tiny_model("sd"), seen) is first
    assert seen.phases[:2] == [("loading", "Loading tiny-sd")] * 2
    assert seen.data[1]["bytes"] >= first.bytes > 100_000
    assert all(p.dtype == torch.float32 for p in first.pipeline.unet.parameters())


def test_a_load_that_takes_long_tells_its_bytes(
    make: Callable[..., Pipelines], tiny_model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "REPORT_SECONDS", -1.0)
    seen = Recording()
    size = make().get(tiny_model("sd"), seen).bytes
    told = [data for data in seen.data if "done" in data]
    done = [data["done"] for data in told]
    assert done == sorted(done)
    assert 0 < max(done) < told[0]["total"]
    assert told[0]["total"] >= size
    assert seen.phases[-1][1].startswith("Loading tiny-sd: ")


def test_the_least_recently_used_pipeline_makes_room(
    make: Callable[..., Pipelines], tiny_model: Callable[[str], Model]
) -> None:
    model = tiny_model("sd")
    size = make().get(model, Recording()).bytes
    pipelines = make(budget=int(size * 2.5))
    for name in ("a", "b", "a", "c"):
        pipelines.get(named(model, name), Recording())
    assert pipelines.names == ("a", "c")


def test_one_pipeline_larger_than_the_budget_is_loaded_all_the_same(
    make: Callable[..., Pipelines], tiny_model: Callable[[str], Model]
) -> None:
    pipelines = make(budget=1)
    pipelines.get(tiny_model("sd"), Recording())
    pipelines.get(tiny_model("sdxl"), Recording())
    assert pipelines.names == ("tiny-sdxl",)


def test_a_model_beyond_the_machines_memory_is_refused_before_anything_is_read(
    make: Callable[..., Pipelines],
) -> None:
    model = Model(
        name="huge", family="sd", path="/nowhere", licence="none", width=64, height=64, steps=1, guidance=1,
        scheduler="ddim", schedulers=("ddim",), memory_bytes=10**15,
    )  # fmt: skip
    with pytest.raises(DrawingFailed, match="1000000 GB") as caught:
        make().get(model, Recording())
    assert caught.value.failure == "out_of_memory"


def test_weights_saved_in_half_precision_are_computed_in_single_on_a_cpu(
    make: Callable[..., Pipelines],
    tiny_folder: Callable[[str], Path],
    tiny_model: Callable[[str], Model],
    tmp_path: Path,
) -> None:
    import diffusers

    half = diffusers.DiffusionPipeline.from_pretrained(tiny_folder("sd"), dtype=torch.float16)
    half.save_pretrained(tmp_path / "half")
    model = msgspec.structs.replace(tiny_model("sd"), path=str(tmp_path / "half"))
    pipeline = make().get(model, Recording()).pipeline
    parts = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    assert {p.dtype for part in parts for p in part.parameters()} == {torch.float32}


def test_a_pipeline_class_that_is_not_known_is_a_sentence(
    make: Callable[..., Pipelines],
    tiny_folder: Callable[[str], Path],
    tiny_model: Callable[[str], Model],
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(tiny_folder("sd"), tmp_path / "model"))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "PipelineOfTomorrow"}))
    with pytest.raises(DrawingFailed, match="could not be loaded") as caught:
        make().get(msgspec.structs.replace(tiny_model("sd"), path=str(folder)), Recording())
    assert "newer diffusers" in caught.value.hint


def test_a_task_canceled_before_the_weights_are_read_does_not_read_them(
    make: Callable[..., Pipelines], tiny_model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", lambda *_, **__: read.append(1))
    with pytest.raises(Interrupted):
        make().get(tiny_model("sd"), Recording(stop_after=0))
    assert not read


def test_this_machines_hardware_is_found() -> None:
    hardware = find_hardware()
    assert hardware.device in {"cpu", "cuda", "mps"}
    assert hardware.memory_bytes > 2**28
    assert hardware.device != "cpu" or hardware.dtype == torch.float32
