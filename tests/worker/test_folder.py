"""Model folders: whole ones, half-downloaded ones, ones that could run code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gpugen_worker.folder import check_folder
from gpugen_worker.generator import DrawingFailed

WEIGHTS = "diffusion_pytorch_model"


@pytest.fixture
def folder(tiny_folder: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(tiny_folder("sd"), tmp_path / "model"))


def refused(folder: Path, variant: str = "") -> DrawingFailed:
    with pytest.raises(DrawingFailed) as caught:
        check_folder("mine", folder, variant)
    assert "mine" in caught.value.message
    assert caught.value.hint
    return caught.value


def split(folder: Path, infix: str = "") -> list[Path]:
    """Make the unet look as if its weights were split in two files."""
    unet = folder / "unet"
    whole = unet / f"{WEIGHTS}.safetensors"
    shards = [unet / f"{WEIGHTS}{infix}-0000{k}-of-00002.safetensors" for k in (1, 2)]
    for shard in shards:
        shutil.copy(whole, shard)
    index = {"weight_map": {"a": shards[0].name, "b": shards[1].name}}
    (unet / f"{WEIGHTS}.safetensors.index{infix}.json").write_text(json.dumps(index))
    return shards


@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3", "flux", "qwen-image", "z-image"])
def test_a_whole_folder_passes_and_its_weights_are_counted(
    tiny_folder: Callable[[str], Path], family: str
) -> None:
    folder = tiny_folder(family)
    assert check_folder("mine", folder) == sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def test_a_folder_that_is_not_there_or_is_no_model_is_missing(folder: Path) -> None:
    assert refused(folder / "other").failure == "model_missing"
    (folder / "model_index.json").unlink()
    error = refused(folder)
    assert error.failure == "model_missing"
    assert "model_index.json" in error.message


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_missing_part_is_named(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    error = refused(folder)
    assert error.failure == "model_incomplete"
    assert part in error.message


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / "unet" / f"{WEIGHTS}.safetensors").unlink()
    error = refused(folder)
    assert error.failure == "model_incomplete"
    assert "unet has no weights" in error.message


@pytest.mark.parametrize("kept", [0, 4, 100, 5000])
def test_cut_off_weights_are_named(folder: Path, kept: int) -> None:
    weights = folder / "vae" / f"{WEIGHTS}.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    error = refused(folder)
    assert error.failure == "model_incomplete"
    assert weights.name in error.message


def test_a_pointer_of_git_lfs_is_no_weights_file(folder: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n"
    (folder / "unet" / f"{WEIGHTS}.safetensors").write_text(text)
    assert refused(folder).failure == "model_incomplete"


def test_a_missing_shard_is_named(folder: Path) -> None:
    shards = split(folder)
    assert check_folder("mine", folder) > 0
    shards[1].unlink()
    error = refused(folder)
    assert error.failure == "model_incomplete"
    assert shards[1].name in error.message


def test_a_broken_link_into_a_cache_counts_as_missing(folder: Path) -> None:
    weights = folder / "unet" / f"{WEIGHTS}.safetensors"
    weights.unlink()
    weights.symlink_to(folder / "gone")
    assert refused(folder).failure == "model_incomplete"


def test_only_the_shards_of_the_variant_are_needed(folder: Path) -> None:
    for shard in split(folder):
        shard.unlink()
    split(folder, ".fp16")
    assert check_folder("mine", folder, "fp16") > 0
    assert refused(folder).failure == "model_incomplete"


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt"])
def test_weights_that_can_run_code_are_not_read(folder: Path, suffix: str) -> None:
    weights = folder / "unet" / f"{WEIGHTS}.safetensors"
    weights.rename(weights.with_suffix(suffix))
    error = refused(folder)
    assert error.failure == "model_not_safetensors"
    assert "safe_serialization" in error.hint


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_an_index_that_cannot_be_read_is_incomplete(folder: Path, text: str) -> None:
    (folder / "model_index.json").write_text(text)
    assert refused(folder).failure == "model_incomplete"


def test_a_pipeline_with_code_of_its_own_is_refused(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    index["_class_name"] = ["pipeline", "MyPipeline"]
    (folder / "model_index.json").write_text(json.dumps(index))
    assert refused(folder).failure == "not_supported"
