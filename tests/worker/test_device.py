"""What a worker says of its machine."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gpugen_worker.device import describe_device, library_versions


def program(folder: Path, prints: str, code: int = 0) -> None:
    """An nvidia-smi that prints that."""
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\necho '{prints}'\nexit {code}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_a_gpu_is_named_with_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program(tmp_path, "NVIDIA L4, 23034")
    device = describe_device()
    assert device.name == "NVIDIA L4"
    assert device.memory_bytes == 23034 * 2**20


@pytest.mark.parametrize(("prints", "code"), [("No devices were found", 0), ("", 0), ("NVIDIA L4, 1", 9)])
def test_a_driver_without_a_gpu_means_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prints: str, code: int
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program(tmp_path, prints, code)
    device = describe_device()
    assert not device.name.startswith("NVIDIA")
    assert device.memory_bytes > 2**28


def test_the_libraries_that_decide_about_pixels_are_named() -> None:
    assert {"python", "torch", "diffusers", "transformers"} <= library_versions().keys()
