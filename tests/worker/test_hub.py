"""Models of a hub: downloaded once, pinned, then used offline. The hub is a fake one on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.worker.conftest import WorkerProcess, registry_entry
from tests.worker.fake_hub import FakeHub
from tests.worker.scripted_server import Attempt, ScriptedServer

from gpugen_protocol.worker import Completion, Failure

Start = Callable[..., WorkerProcess]


@pytest.fixture
def hub(tiny_folder: Callable[[str], Path]) -> Iterator[FakeHub]:
    hub = FakeHub()
    hub.repositories["owner/tiny"] = tiny_folder("sd")
    hub.repositories["owner/closed"] = tiny_folder("sd")
    hub.gated.add("owner/closed")
    yield hub
    hub.close()


@pytest.fixture
def draw(
    scripted: ScriptedServer, hub: FakeHub, start_worker: Start, tmp_path: Path
) -> Callable[..., list[Attempt]]:
    """`draw(*models, **environ)`: what a new worker made of one task for each."""
    entries = "".join(
        registry_entry(name, "sd", Path("/")).replace('path = "/"', f'repository = "owner/{name}"')
        for name in ("tiny", "closed", "absent")
    )
    (tmp_path / "models.toml").write_text(entries)

    def draw(*models: str, **environ: str) -> list[Attempt]:
        first = len(scripted.attempts)
        for model in models:
            scripted.submit(model=model, width=32, height=32, steps=2)
        places = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), **environ}
        worker = start_worker(scripted.url, "--idle-exit", "1", GPUGEN_GENERATOR="diffusers", **places)
        assert worker.wait(120) == 0, worker.log
        return [scripted.attempt(first + k) for k in range(len(models))]

    return draw


def failure(attempt: Attempt) -> Failure:
    assert isinstance(attempt.ended, Failure)
    assert attempt.ended.hint
    return attempt.ended


def revision(attempt: Attempt) -> Any:
    return next(r.data["revision"] for r in attempt.reports if "revision" in getattr(r, "data", {}))


def test_the_commit_of_the_first_download_is_kept_even_offline_and_refusals_say_what_to_do(
    draw: Callable[..., list[Attempt]], hub: FakeHub, tmp_path: Path
) -> None:
    tiny, closed, absent = draw("tiny", "closed", "absent")
    assert isinstance(tiny.ended, Completion)
    assert revision(tiny) == "a" * 40
    assert json.loads((tmp_path / "revisions.json").read_text()) == {"owner/tiny": "a" * 40}
    assert not any(name.endswith((".bin", ".py")) for name in hub.downloads)
    assert failure(closed).code == "model_gated"
    assert "HF_TOKEN" in failure(closed).hint
    assert failure(absent).code == "model_missing"

    hub.commit = "b" * 40  # the author publishes something else
    loaded = len(hub.downloads)
    (again,) = draw("tiny")
    assert isinstance(again.ended, Completion)
    assert revision(again) == "a" * 40
    assert len(hub.downloads) == loaded

    (offline,) = draw("tiny", HF_HUB_OFFLINE="1")
    assert isinstance(offline.ended, Completion)
    assert offline.images == again.images == tiny.images


def test_without_a_network_a_model_that_is_not_in_the_cache_says_so(
    draw: Callable[..., list[Attempt]],
) -> None:
    (away,) = draw("tiny", HF_ENDPOINT="http://127.0.0.1:1")
    assert failure(away).code == "model_missing"
    assert "cannot be reached" in failure(away).message


def test_a_repository_of_pickles_is_not_downloaded(
    draw: Callable[..., list[Attempt]], hub: FakeHub, tmp_path: Path
) -> None:
    import shutil

    pickles = Path(shutil.copytree(hub.repositories["owner/tiny"], tmp_path / "pickles"))
    for weights in pickles.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".bin"))
    hub.repositories["owner/tiny"] = pickles
    (attempt,) = draw("tiny")
    assert failure(attempt).code == "model_not_safetensors"
    assert not any(name.endswith(".bin") for name in hub.downloads)
