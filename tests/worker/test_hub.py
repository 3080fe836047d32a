"""Models of a hub: downloaded once, pinned, then used offline. The hub is a fake one on loopback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import msgspec
import pytest
from tests.worker.fake_hub import FakeHub
from tests.worker.recording import Recording

from gpugen_protocol.models import Model
from gpugen_worker import download
from gpugen_worker.folder import check_folder
from gpugen_worker.generator import DrawingFailed, Interrupted
from gpugen_worker.hub import Hub

FIRST, SECOND = "a" * 40, "b" * 40


@pytest.fixture
def model(tiny_model: Callable[[str], Model]) -> Model:
    return msgspec.structs.replace(tiny_model("sd"), name="tiny", path="", repository="owner/tiny")


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path / "data" / "revisions.json")


def refused(hub: Hub, model: Model) -> DrawingFailed:
    with pytest.raises(DrawingFailed) as caught:
        hub.folder(model, Recording())
    assert caught.value.hint
    return caught.value


def test_the_commit_of_the_first_download_is_recorded_and_then_enforced(
    hub: Hub, remote: FakeHub, model: Model, tmp_path: Path
) -> None:
    seen = Recording()
    folder = hub.folder(model, seen)
    assert check_folder("tiny", folder) > 0
    assert seen.data[-1] == {"repository": "owner/tiny", "revision": FIRST}
    assert json.loads((tmp_path / "data" / "revisions.json").read_text()) == {"owner/tiny": FIRST}
    remote.commit = SECOND  # the author publishes something else
    downloads = len(remote.downloads)
    assert hub.folder(model, Recording()) == folder
    assert len(remote.downloads) == downloads


def test_a_pinned_revision_is_what_is_asked_for_and_needs_no_record(
    hub: Hub, remote: FakeHub, model: Model, tmp_path: Path
) -> None:
    folder = hub.folder(msgspec.structs.replace(model, revision=FIRST), Recording())
    assert folder.name == FIRST
    assert not (tmp_path / "data").exists()


def test_what_was_downloaded_is_used_without_a_network(hub: Hub, remote: FakeHub, model: Model) -> None:
    folder = hub.folder(model, Recording())
    remote.close()
    assert hub.folder(model, Recording()) == folder


def test_a_cache_filled_by_others_is_used_and_pinned_when_offline(
    hub: Hub, remote: FakeHub, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hub(tmp_path / "other.json").folder(model, Recording())
    cached = tmp_path / "cache" / "models--owner--tiny"
    (cached / "refs").mkdir(exist_ok=True)
    (cached / "refs" / "main").write_text(FIRST)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert hub.folder(model, Recording()).name == FIRST
    assert json.loads((tmp_path / "data" / "revisions.json").read_text()) == {"owner/tiny": FIRST}


def test_no_pickle_is_downloaded_where_there_are_safetensors(
    hub: Hub, remote: FakeHub, model: Model, tmp_path: Path
) -> None:
    mixed = Path(shutil.copytree(remote.repositories["owner/tiny"], tmp_path / "mixed"))
    shutil.copy(
        mixed / "unet" / "diffusion_pytorch_model.safetensors", mixed / "unet" / "diffusion_pytorch_model.bin"
    )
    remote.repositories["owner/tiny"] = mixed
    hub.folder(model, Recording())
    assert remote.downloads
    assert not [name for name in remote.downloads if name.endswith(".bin")]


def test_a_repository_of_pickles_is_refused(hub: Hub, remote: FakeHub, model: Model, tmp_path: Path) -> None:
    pickles = Path(shutil.copytree(remote.repositories["owner/tiny"], tmp_path / "pickles"))
    for weights in pickles.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".bin"))
    remote.repositories["owner/tiny"] = pickles
    assert refused(hub, model).failure == "model_not_safetensors"
    assert not [name for name in remote.downloads if name.endswith(".bin")]


def test_a_gated_repository_says_where_to_accept_its_licence(hub: Hub, remote: FakeHub, model: Model) -> None:
    remote.gated.add("owner/tiny")
    error = refused(hub, model)
    assert error.failure == "model_gated"
    assert "HF_TOKEN" in error.hint
    assert not error.retryable


def test_a_repository_that_does_not_exist_is_named(hub: Hub, remote: FakeHub, model: Model) -> None:
    error = refused(hub, msgspec.structs.replace(model, repository="owner/absent"))
    assert error.failure == "model_missing"
    assert "owner/absent" in error.message


def test_no_network_and_no_cache_says_so(hub: Hub, remote: FakeHub, model: Model) -> None:
    remote.close()
    error = refused(hub, model)
    assert error.failure == "model_missing"
    assert "cannot be reached" in error.message
    assert error.retryable


def test_a_broken_record_of_revisions_is_a_sentence(
    hub: Hub, remote: FakeHub, model: Model, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "revisions.json").write_text("{")
    assert "revisions.json" in refused(hub, model).message


def test_a_download_tells_its_bytes(
    hub: Hub, remote: FakeHub, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "REPORT_SECONDS", -1.0)
    seen = Recording()
    hub.folder(model, seen)
    told = [data for data in seen.data if "done" in data]
    assert told
    assert all(0 < data["done"] <= data["total"] for data in told)
    assert seen.phases[-1][1].startswith("Downloading tiny: ")


def test_a_download_stops_when_the_task_is_canceled_and_goes_on_another_time(
    hub: Hub, remote: FakeHub, model: Model
) -> None:
    with pytest.raises(Interrupted):
        hub.folder(model, Recording(stop_after=0))
    assert check_folder("tiny", hub.folder(model, Recording())) > 0
