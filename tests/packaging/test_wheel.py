"""What users get: everything that is needed, nothing that is not."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path

import pytest

from gpugen_protocol import __version__

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "gpugen_protocol": "protocol",
    "gpugen_client": "client",
    "gpugen_server": "server",
    "gpugen_worker": "worker",
    "gpugen": "kernel_ext",
    "gpugen_jupyter": "kernel_ext",
}
LEFT_OUT = {"__pycache__", "labextension"}  # the built panel goes to share/jupyter
DATA = f"gpugen-{__version__}.data/data"
PANEL = f"{DATA}/share/jupyter/labextensions/@gpugen/lab"


def test_every_file_of_every_package_is_in_the_wheel(wheel_files: set[str]) -> None:
    for name, folder in PACKAGES.items():
        files = {
            path.relative_to(ROOT / folder).as_posix()
            for path in (ROOT / folder / name).rglob("*.*")
            if path.is_file() and not LEFT_OUT & set(path.parts)
        }
        assert files
        assert not files - wheel_files


def test_only_our_own_names_land_in_site_packages(wheel_files: set[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_files}

    assert {top for top in tops if not top.startswith("gpugen-")} == set(PACKAGES)


def test_types_registry_and_bundled_model_are_in_the_wheel(wheel_files: set[str]) -> None:
    expected = {f"{name}/py.typed" for name in PACKAGES} | {
        "gpugen_protocol/models.toml",
        "gpugen_worker/models/emoji/model_index.json",
        "gpugen_worker/models/emoji/unet/diffusion_pytorch_model.safetensors",
        "gpugen_worker/models/emoji/vae/diffusion_pytorch_model.safetensors",
    }

    assert not expected - wheel_files


def test_the_panel_comes_prebuilt_and_enabled(wheel: Path, wheel_files: set[str]) -> None:
    assert f"{PANEL}/install.json" in wheel_files
    assert f"{DATA}/etc/jupyter/jupyter_server_config.d/gpugen.json" in wheel_files
    with zipfile.ZipFile(wheel) as archive:
        package = json.loads(archive.read(f"{PANEL}/package.json"))
    assert package["version"]  # without it `jupyter labextension list` dies
    assert f"{PANEL}/{package['jupyterlab']['_build']['load']}" in wheel_files


def test_the_wheel_is_small_enough_to_be_published(wheel: Path) -> None:
    assert wheel.stat().st_size < 40_000_000


@pytest.mark.parametrize(
    "path",
    [
        "kernel_ext/gpugen_jupyter/labextension/package.json",
        "labextension/src/index.ts",
        "labextension/yarn.lock",
        "notebooks/quickstart.ipynb",
        "constraints.txt",
        "Makefile",
    ],
)
def test_the_sdist_has_all_that_a_build_without_npm_needs(sdist_files: set[str], path: str) -> None:
    assert path in sdist_files


def test_the_sdist_has_no_downloads_and_no_pictures(sdist_files: set[str]) -> None:
    unwanted = ("labextension/node_modules", "labextension/.yarn/", "docs/pictures", "demo/", ".venv")

    assert not [name for name in sdist_files if name.startswith(unwanted)]


def test_one_version_is_written_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    panel = json.loads((ROOT / "labextension" / "package.json").read_text(encoding="utf-8"))

    assert project["version"] == panel["version"] == __version__
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
