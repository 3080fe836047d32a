"""The arrows between the packages, and what importing them costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TORCH = {"torch", "diffusers", "transformers"}
CLOUD = {"google.cloud.compute", "google.cloud.compute_v1"}


def loaded_by(statement: str) -> set[str]:
    """The modules a fresh interpreter has after `statement`, run outside of the work tree."""
    program = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import gpugen", TORCH | CLOUD | {"IPython", "PIL", "peewee", "tornado", "numpy", "ipywidgets"}),
        ("from gpugen.cli import main", TORCH | CLOUD | {"IPython", "peewee", "tornado", "numpy"}),
        ("import gpugen_server.app", TORCH | CLOUD | {"IPython", "numpy", "gpugen", "gpugen_client"}),
        ("import gpugen_server.process", TORCH | CLOUD | {"IPython", "numpy", "gpugen", "gpugen_client"}),
        ("import gpugen_worker.command", TORCH | {"tornado", "peewee", "IPython"}),
        ("import gpugen_jupyter.app", TORCH | {"ipywidgets", "peewee", "gpugen"}),
        ("import gpugen_protocol.wire", TORCH | {"requests", "tornado", "websockets", "sqlite3"}),
    ],
)
def test_importing_a_package_does_not_load_what_it_may_never_need(statement: str, unwanted: set[str]) -> None:
    assert not loaded_by(statement) & unwanted


def test_no_generic_name_becomes_importable() -> None:
    names = ("server", "worker", "protocol", "client", "tools", "benchmarks")
    program = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
