"""What an installation brings along, followed through the metadata of what is installed here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)")
OF_A_BUILD = ("nvidia-", "cuda-", "triton")  # what torch brings depends on which build of it was taken
HEAVY = {"torch", "diffusers", "transformers", "ipython", "jupyterlab", "google-cloud-compute"}


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(extras: set[str]) -> Iterator[Requirement]:
    """What `gpugen[extras]` asks for itself, as pyproject.toml says now."""
    found = project()
    lines = list(found["dependencies"])
    for extra in extras:
        lines += found["optional-dependencies"][extra]
    for requirement in map(Requirement, lines):
        if requirement.name == "gpugen":
            yield from requirements(requirement.extras)
        else:
            yield requirement


def closure(*extras: str, **environment: str) -> dict[str, Distribution]:
    """All distributions that `gpugen[extras]` brings, here or where markers find another `environment`."""
    found: dict[str, Distribution] = {}
    waiting = list(requirements(set(extras)))
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or not applies(requirement, set(), environment):
            continue
        found[name] = distribution(name)
        children = map(Requirement, found[name].requires or [])
        waiting += [child for child in children if applies(child, requirement.extras, environment)]
    return found


def applies(requirement: Requirement, extras: set[str], environment: dict[str, str]) -> bool:
    marker = requirement.marker
    places = ({**environment, "extra": extra} for extra in extras or {""})
    return marker is None or any(map(marker.evaluate, places))


def megabytes(found: dict[str, Distribution]) -> float:
    files = (file.locate() for dist in found.values() for file in dist.files or [])
    return sum(Path(file).stat().st_size for file in files if Path(file).is_file()) / 1e6


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    matches = [(line, PIN.fullmatch(line)) for line in lines if line and not line.startswith("#")]
    assert not [line for line, match in matches if match is None]
    return {canonicalize_name(match[1]): match[2] for _, match in matches if match}


def test_gpugen_alone_is_light() -> None:
    found = closure()

    assert "requests" in found
    assert not found.keys() & (HEAVY | {"peewee", "tornado", "pillow", "jupyter-server"})
    assert megabytes(found) < 40


def test_the_server_needs_no_torch_and_stays_below_150_megabytes() -> None:
    found = closure("server")

    assert "tornado" in found
    assert not found.keys() & HEAVY
    assert megabytes(found) < 150


def test_the_notebook_extra_brings_neither_server_nor_torch() -> None:
    assert not closure("notebook").keys() & {"torch", "diffusers", "peewee", "jupyterlab"}


@pytest.mark.parametrize("extra", ["server", "worker", "notebook", "lab", "dev"])
def test_everything_an_extra_brings_is_pinned_for_make(extra: str) -> None:
    missing = closure(extra).keys() - pins().keys()
    assert not {name for name in missing if not name.startswith(OF_A_BUILD)}


def test_the_pins_are_within_what_the_metadata_allows() -> None:
    pinned = pins()
    extras = set(project()["optional-dependencies"])

    for requirement in requirements(extras):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


def test_torch_is_pinned_to_the_version_that_was_tested() -> None:
    assert pins()["torch"] == "2.13.0"
