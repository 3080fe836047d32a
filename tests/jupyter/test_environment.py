"""What kernels are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpugen_jupyter.environment import for_kernels


def test_a_private_server_is_pinned_by_its_data_directory_alone(tmp_path: Path) -> None:
    assert for_kernels({}, {"GPUGEN_DATA_DIR": str(tmp_path)}) == {"GPUGEN_DATA_DIR": str(tmp_path)}


def test_relative_paths_become_absolute_since_kernels_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"GPUGEN_DATA_DIR": "data", "GPUGEN_CONFIG": "my.toml", "GPUGEN_TOKEN_FILE": "token"}

    assert for_kernels({}, environ) == {
        "GPUGEN_DATA_DIR": str(tmp_path / "data"),
        "GPUGEN_CONFIG": str(tmp_path / "my.toml"),
        "GPUGEN_TOKEN_FILE": str(tmp_path / "token"),
    }


def test_the_configuration_wins_over_the_environment() -> None:
    found = for_kernels({"GPUGEN_URL": "http://a", "GPUGEN_TOKEN": "t"}, {"GPUGEN_URL": "http://b"})
    assert (found["GPUGEN_URL"], found["GPUGEN_TOKEN"]) == ("http://a", "t")


def test_a_configured_token_file_is_not_shadowed_by_a_token_of_the_environment(tmp_path: Path) -> None:
    found = for_kernels({"GPUGEN_TOKEN_FILE": str(tmp_path / "token")}, {"GPUGEN_TOKEN": "another server's"})
    assert found["GPUGEN_TOKEN"] == ""
