"""Tiny real models, worker processes, and a server that can be told to misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.worker.scripted_server import REGISTRATION, ScriptedServer, wait_until

from gpugen_protocol.models import Model, parse_registry
from gpugen_protocol.request import ResolvedRequest

os.environ["OMP_NUM_THREADS"] = "1"  # tiny tensors: threads would only wait for each other

THIRD_PARTY = (
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
    "ignore:builtin type .* has no __module__ attribute:DeprecationWarning",
)
SCHEDULERS = {
    "sd": ("dpm++", "dpm++-karras", "ddim", "euler", "euler-a", "heun", "lcm", "pndm", "unipc"),
    "sdxl": ("dpm++-karras", "dpm++", "ddim", "euler", "euler-a", "heun", "lcm", "unipc"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Numpy 2 complains about how diffusers' schedulers call it: not ours to mend."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for line in THIRD_PARTY:
                item.add_marker(pytest.mark.filterwarnings(line))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`tiny_folder(family)`: a random-weight pipeline of that family on disk, made once."""
    root = tmp_path_factory.mktemp("tiny")

    def make(family: str) -> Path:
        from tests.worker import tiny

        folder = root / family
        return folder if folder.exists() else tiny.save(family, folder)

    return make


def registry_entry(name: str, family: str, folder: Path) -> str:
    """The TOML of a model entry of that folder."""
    schedulers = SCHEDULERS.get(family, ("flow-euler",))
    return f"""
        [models.{name}]
        family = "{family}"
        path = "{folder}"
        licence = "none"
        width = 32
        height = 32
        steps = 2
        guidance = 3.0
        scheduler = "{schedulers[0]}"
        schedulers = {list(schedulers)}
        max_prompt_tokens = {77 if family in {"sd", "sdxl"} else 256}
    """


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Callable[[str], Path]) -> Callable[[str], Model]:
    """`tiny_model(family)`: the registry's entry of that pipeline."""

    def make(family: str) -> Model:
        name = f"tiny-{family}"
        entry = registry_entry(name, family, tiny_folder(family))
        return parse_registry({"test": entry}).get(name)

    return make


@pytest.fixture(scope="session")
def a_request() -> Callable[..., ResolvedRequest]:
    """`a_request(model, **changes)`: two steps at 32 pixels."""

    def make(model: Model, **changes: Any) -> ResolvedRequest:
        fields: dict[str, Any] = {
            "prompt": "a red cat",
            "model": model.name,
            "width": model.width,
            "height": model.height,
            "steps": 2,
            "guidance": model.guidance,
            "seed": 7,
            "n": 1,
            "scheduler": model.scheduler,
        }
        return ResolvedRequest(**{**fields, **changes})

    return make


@pytest.fixture
def remote(
    tiny_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A hub with `owner/tiny`, which this process takes for the real one, and an empty cache."""
    import huggingface_hub
    from tests.worker.fake_hub import FakeHub

    hub = FakeHub()
    hub.repositories["owner/tiny"] = tiny_folder("sd")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
    yield hub
    hub.close()


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server in this process that can be told to misbehave."""
    server = ScriptedServer()
    yield server
    server.close()


class WorkerProcess:
    """`python -m gpugen_worker`, its log in a file."""

    def __init__(self, arguments: list[str], environ: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gpugen_worker", *arguments], env=dict(environ), stderr=file
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait(self, seconds: float = 30.0) -> int:
        return self.process.wait(seconds)

    def wait_for_log(self, text: str, seconds: float = 30.0) -> None:
        wait_until(lambda: text in self.log, seconds)


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """`start_worker(url, *arguments, token=..., **environ)`: a worker, with the fake generator by default."""
    started: list[WorkerProcess] = []
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}

    def start(url: str, *arguments: str, token: str = REGISTRATION, **environ: str) -> WorkerProcess:
        ours = {
            "GPUGEN_TOKEN": token,
            "GPUGEN_DATA_DIR": str(tmp_path),
            "GPUGEN_CONFIG": str(tmp_path / "gpugen.toml"),
            "GPUGEN_GENERATOR": "fake",
        }
        log = tmp_path / f"worker{len(started)}.log"
        command = ["--url", url, *arguments] if url else list(arguments)
        started.append(WorkerProcess(command, {**inherited, **ours, **environ}, log))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.process.wait()
