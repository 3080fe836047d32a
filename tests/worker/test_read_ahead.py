"""Weights read before they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from gpugen_protocol.models import Model, parse_registry
from gpugen_worker.choice import local_folder
from gpugen_worker.read_ahead import read_ahead


def entry(**fields: str) -> Model:
    told = "".join(f'{name} = "{value}"\n' for name, value in fields.items())
    text = f'[models.m]\nfamily = "sd"\nlicence = "none"\nscheduler = "ddim"\nschedulers = ["ddim"]\n{told}'
    numbers = "width = 64\nheight = 64\nsteps = 2\nguidance = 3.0\nmax_prompt_tokens = 77\n"
    return parse_registry({"test": text + numbers}).get("m")


def test_all_weights_of_the_bundled_model_are_read() -> None:
    model = entry(bundled="emoji")
    folder = local_folder(model)
    assert folder is not None
    assert read_ahead(model) == sum(path.stat().st_size for path in folder.glob("*/*.safetensors")) > 10**6


def test_a_model_of_the_hub_is_read_from_the_cache_and_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    model = entry(repository="owner/model", revision="a" * 40)
    assert read_ahead(model) == 0
    folder = tmp_path / "models--owner--model" / "snapshots" / ("a" * 40)
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"0" * 3_000_000)
    assert read_ahead(model) == 3_000_000


def test_what_cannot_be_read_is_left_to_who_loads_it(tmp_path: Path) -> None:
    model = entry(path=str(tmp_path / "model"))
    assert read_ahead(model) == 0
    (tmp_path / "model" / "unet" / "a_folder.safetensors").mkdir(parents=True)
    assert read_ahead(model) == 0
