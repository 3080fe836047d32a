"""Which models a worker offers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.worker.conftest import registry_entry

from gpugen_protocol.errors import Misconfigured, UnknownModel
from gpugen_protocol.models import parse_registry
from gpugen_worker.choice import choose_models, local_folder, read_registry


def names(registry: object, only: str = "", offline: bool = False) -> set[str]:
    return {model.name for model in choose_models(registry, only, offline=offline)}


def test_everything_that_can_be_had_is_offered_and_folders_only_where_they_are(tmp_path: Path) -> None:
    entries = registry_entry("there", "sd", tmp_path) + registry_entry("gone", "sd", tmp_path / "gone")
    offered = names(parse_registry({"mine": entries}))
    assert {"emoji", "sdxl", "there"} <= offered
    assert "gone" not in offered


def test_offline_only_what_is_in_the_cache_is_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub.constants

    commit = "c" * 40
    repository = tmp_path / "models--stabilityai--sdxl-turbo"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "snapshots" / commit / "model_index.json").write_text("{}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert names(parse_registry({}), offline=True) == {"emoji", "sdxl-turbo"}


def test_named_models_are_offered_whatever_else_there_is() -> None:
    assert names(parse_registry({}), "emoji, sd15", offline=True) == {"emoji", "sd15"}


def test_a_named_model_whose_folder_is_missing_is_refused_at_the_start(tmp_path: Path) -> None:
    registry = parse_registry({"mine": registry_entry("gone", "sd", tmp_path / "gone")})
    with pytest.raises(Misconfigured, match="gone") as caught:
        choose_models(registry, "gone", offline=False)
    assert "models.toml" in caught.value.hint


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownModel, match="emoji"):
        choose_models(parse_registry({}), "emojy", offline=False)


def test_the_users_own_entries_are_read_and_what_is_wrong_in_them_is_named(tmp_path: Path) -> None:
    environ = {"GPUGEN_DATA_DIR": str(tmp_path), "GPUGEN_CONFIG": str(tmp_path / "gpugen.toml")}
    assert "mine" not in read_registry(environ).models
    (tmp_path / "gpugen.toml").write_text(registry_entry("mine", "sd", tmp_path))
    assert read_registry(environ).get("mine").path == str(tmp_path)
    (tmp_path / "models.toml").write_text("[models.mine\n")
    with pytest.raises(Misconfigured, match=r"models\.toml"):
        read_registry(environ)


def test_bundled_models_lie_inside_the_package() -> None:
    folder = local_folder(parse_registry({}).get("emoji"))
    assert folder is not None
    assert folder.parts[-3:] == ("gpugen_worker", "models", "emoji")
    assert local_folder(parse_registry({}).get("sdxl")) is None
