"""What the images of deploy/ install and how they run, as far as it can be told without building them."""

from __future__ import annotations

import re

import pytest
import yaml
from packaging.utils import canonicalize_name
from tests.packaging.test_dependencies import ROOT, closure, pins

PYTHON = "3.11.9"  # of the images, or a later one
IMAGES = {"server": ("server", "postgres", "gcp"), "worker": ("worker",)}
LINE = re.compile(r"([A-Za-z0-9._\[\]-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\\n|\n))+)")


def installed(image: str) -> dict[str, str]:
    """Name and version of everything in the requirements of `image`."""
    text = (ROOT / "deploy" / f"requirements-{image}.txt").read_text(encoding="utf-8")
    assert LINE.sub("", text) == "", "every line is a pin with its hashes"
    return {canonicalize_name(name.partition("[")[0]): version for name, version, _ in LINE.findall(text)}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_installs_what_was_tested_with_hashes_and_nothing_is_missing(image: str) -> None:
    found, tested = installed(image), pins()

    assert not {name for name in found if name in tested and found[name] != tested[name]}
    assert not closure(*IMAGES[image], python_full_version=PYTHON).keys() - found.keys()


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_user_without_rights(image: str) -> None:
    lines = (ROOT / "deploy" / f"{image}.Dockerfile").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
    assert lines.index("USER 10001") > max(n for n, line in enumerate(lines) if line.startswith("RUN"))
    assert any("--require-hashes" in line for line in lines)


def test_a_worker_in_a_container_at_home_runs_without_rights_and_has_time_to_finish() -> None:
    text = (ROOT / "deploy" / "compose.worker.yaml").read_text(encoding="utf-8")
    worker = yaml.safe_load(text)["services"]["worker"]

    assert worker["read_only"]
    assert worker["cap_drop"] == ["ALL"]
    assert worker["security_opt"] == ["no-new-privileges:true"]
    assert worker["stop_grace_period"] == "30s"  # more than GPUGEN_GRACE
    assert worker["command"][-1] == f"/run/secrets/{worker['secrets'][0]}"
