"""What `make watch` leaves in the environment, and what installing over it does. pip is not run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINKED = ROOT / "kernel_ext/gpugen_jupyter/labextension"
MADE = (".made", ".torch", ".tools", "modules", "panel")
# Of a make that runs the tests: it would make this one say more.
OUTER = ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Where the environment's panel is; its folder is there."""
    for name in MADE:
        (tmp_path / name).touch()
    (tmp_path / "pip").write_text('[ -L "$PANEL" ] && echo link || echo none\n')
    panel = tmp_path / "share/jupyter/labextensions/@gpugen/lab"
    panel.parent.mkdir(parents=True)
    return panel


def install(installed: Path, target: str) -> str:
    """Make `target` with a pip that only says whether it sees a link; gives what it said."""
    made = installed.parents[4]
    variables = (
        f"VENV={made}",
        f"INSTALL=sh {made}/pip",
        f"PANEL={made}/panel",
        f"PANEL_MODULES={made}/modules",
    )
    done = subprocess.run(
        ["make", *variables, f"{made}/{target}"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in OUTER}
        | {"PANEL": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("target", [".demo", ".dev"])
def test_installing_beside_make_watch_leaves_its_panel_in_place_and_pip_does_not_follow_it(
    installed: Path, target: str
) -> None:
    installed.symlink_to("/a checkout that is gone")
    assert install(installed, target) == "none"
    assert installed.readlink() == LINKED


def test_without_make_watch_the_panel_is_what_pip_installed(installed: Path) -> None:
    installed.mkdir()
    assert install(installed, ".demo") == "none"
    assert installed.is_dir()
    assert not installed.is_symlink()
