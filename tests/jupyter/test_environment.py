"""What kernels are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpugen_client import address
from gpugen_jupyter.environment import for_kernels


def _nowhere(tmp_path: Path) -> dict[str, str]:
    return {"GPUGEN_DATA_DIR": str(tmp_path / "data"), "GPUGEN_CONFIG": str(tmp_path / "gpugen.toml")}


def test_a_private_server_is_named_before_it_runs_by_an_address_that_stays(tmp_path: Path) -> None:
    environ = _nowhere(tmp_path)
    found = for_kernels({}, environ)

    assert found == environ | {
        "GPUGEN_URL": address.reserve(tmp_path / "data"),
        "GPUGEN_TOKEN_FILE": str(tmp_path / "data" / "user-token"),
    }
    assert for_kernels({}, environ | found) == found  # a Jupyter that was started from a kernel


def test_a_server_of_the_config_file_is_handed_on_with_its_token(tmp_path: Path) -> None:
    (tmp_path / "gpugen.toml").write_text('[client]\nurl = "http://gpu-server:8787"\ntoken = "t"\n')
    found = for_kernels({}, _nowhere(tmp_path))

    assert (found["GPUGEN_URL"], found["GPUGEN_TOKEN"]) == ("http://gpu-server:8787", "t")
    assert not (tmp_path / "data").exists()


def test_what_cannot_be_read_or_written_is_left_for_later(tmp_path: Path) -> None:
    (tmp_path / "gpugen.toml").write_text("[client")
    assert for_kernels({}, _nowhere(tmp_path)) == _nowhere(tmp_path)
    (tmp_path / "gpugen.toml").unlink()
    (tmp_path / "data").write_text("a file, where the data directory should be")
    assert for_kernels({}, _nowhere(tmp_path)) == _nowhere(tmp_path)


def test_relative_paths_become_absolute_since_kernels_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"GPUGEN_DATA_DIR": "data", "GPUGEN_CONFIG": "my.toml", "GPUGEN_TOKEN_FILE": "token"}
    named = {"GPUGEN_URL": "http://a", "GPUGEN_TOKEN": "t"}

    assert for_kernels(named, environ) == named | {
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
