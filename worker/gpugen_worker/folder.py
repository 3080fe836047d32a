"""A model's folder in diffusers' layout, looked over before torch reads it: what is missing is named."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from gpugen_worker.generator import DrawingFailed

_PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth", "*.msgpack")
_REDO = "Download it again; a download that was cut off goes on where it stopped."


def check_folder(name: str, folder: Path, variant: str = "") -> int:
    """Make sure that `folder` holds the whole model `name`, as safetensors; gives the weights' bytes.

    Of weights split into shards those of `variant` are looked at, if they are there.

    Raises:
        DrawingFailed: model_missing, model_incomplete or model_not_safetensors.
    """
    index = _read_json(name, folder / "model_index.json", folder)
    _refuse_own_code(name, index)
    return sum(_check_component(name, folder / part, variant) for part in _components(index))


def weight_bytes(folder: Path) -> int:
    """How many bytes of weights lie in the folder of one component."""
    return sum(path.stat().st_size for path in _weights(folder))


def _weights(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.safetensors") if path.exists()]


def _components(index: dict[str, Any]) -> Iterator[str]:
    for part, place in index.items():
        if not part.startswith("_") and isinstance(place, list) and len(place) == 2 and all(place):
            yield part


def _check_component(name: str, folder: Path, variant: str) -> int:
    if not folder.is_dir():
        _incomplete(name, f"the folder {folder.name} is missing")
    if not (folder / "config.json").exists():
        return 0  # a tokenizer, a scheduler: no weights
    indices = sorted(folder.glob("*.safetensors.index*.json"))
    for index in [path for path in indices if variant and variant in path.name] or indices:
        for shard in sorted(set(_read_json(name, index, folder).get("weight_map", {}).values())):
            if not (folder / shard).exists():
                _incomplete(name, f"{folder.name}/{shard} is missing")
    weights = _weights(folder)
    if not weights:
        _no_weights(name, folder)
    for path in weights:
        _check_whole(name, path)
    return weight_bytes(folder)


def _no_weights(name: str, folder: Path) -> NoReturn:
    if any(found for pattern in _PICKLES for found in folder.glob(pattern)):
        raise DrawingFailed(
            "model_not_safetensors",
            f"The weights of {name} in {folder.name} are not safetensors; other formats can run code.",
            hint="Convert the model: pipeline.save_pretrained(folder, safe_serialization=True).",
        )
    _incomplete(name, f"{folder.name} has no weights")


def _check_whole(name: str, path: Path) -> None:
    """Compare the file's length with what its own header says; a cut-off file fails here, not in torch."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > path.stat().st_size:
                raise ValueError
            header = json.loads(file.read(length))
        end = max(
            (entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"), default=0
        )
    except (OSError, struct.error, ValueError, KeyError, TypeError):
        _incomplete(name, f"{path.parent.name}/{path.name} is cut off or no safetensors file")
    if path.stat().st_size < 8 + length + end:
        _incomplete(name, f"{path.parent.name}/{path.name} is cut off")


def _read_json(name: str, path: Path, folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "does not exist" if not folder.exists() else f"has no {path.name}"
        raise DrawingFailed(
            "model_missing",
            f"The folder of {name} {what}: {folder}",
            hint="Give a folder in diffusers' layout as `path` in models.toml.",
        ) from None
    except (OSError, ValueError):
        _incomplete(name, f"{path.name} cannot be read")
    if not isinstance(found, dict):
        _incomplete(name, f"{path.name} holds no table")
    return found


def _refuse_own_code(name: str, index: dict[str, Any]) -> None:
    if not isinstance(index.get("_class_name"), str):
        raise DrawingFailed(
            "not_supported",
            f"{name} wants to run code of its own; gpugen runs only the pipelines of diffusers.",
            hint="Choose a model whose pipeline class is part of diffusers.",
        )


def _incomplete(name: str, what: str) -> NoReturn:
    raise DrawingFailed("model_incomplete", f"The model {name} is not complete: {what}.", hint=_REDO)
