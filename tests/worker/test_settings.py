"""The worker's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpugen_protocol.errors import Misconfigured
from gpugen_worker.settings import read_settings


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"GPUGEN_URL": "http://h", "GPUGEN_CONFIG": str(tmp_path / "gpugen.toml"), **more}


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "gpugen.toml").write_text("[worker]\ngrace = '2m'\nidle_exit = 3\nbatch = 4\n")
    settings = read_settings({"idle_exit": "10m"}, environ(tmp_path, GPUGEN_IDLE_EXIT="5", GPUGEN_BATCH="2"))
    assert (settings.idle_exit, settings.batch, settings.grace) == (600.0, 2, 120.0)


def test_a_token_file_beats_the_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    both = environ(tmp_path, GPUGEN_TOKEN="plain", GPUGEN_TOKEN_FILE=str(file))
    assert read_settings({}, both).registration_token() == "from-the-file"
    assert read_settings({}, environ(tmp_path, GPUGEN_TOKEN=" plain\n")).registration_token() == "plain"


def test_no_token_and_an_unreadable_one_are_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="token create"):
        read_settings({}, environ(tmp_path)).registration_token()
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_settings({"token_file": str(tmp_path)}, environ(tmp_path)).registration_token()


@pytest.mark.parametrize("text", ["worker = 1", "[worker", "\x00"])
def test_a_broken_config_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "gpugen.toml").write_text(text)
    with pytest.raises(Misconfigured, match=r"gpugen\.toml"):
        read_settings({}, environ(tmp_path))


def test_a_server_is_needed(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="GPUGEN_URL"):
        read_settings({}, environ(tmp_path, GPUGEN_URL=""))
