"""The Makefile beside `make watch`, with a pip that is not run, and when `make test` fails."""

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
    done = make(made, f"{made}/{target}", INSTALL=f"sh {made}/pip")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def make(made: Path, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Make `target` where everything that is made lies in `made`."""
    places = {"VENV": made, "PANEL": made / "panel", "PANEL_MODULES": made / "modules"}
    return subprocess.run(
        ["make", *(f"{name}={value}" for name, value in {**places, **variables}.items()), target],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in OUTER}
        | {"PANEL": str(made / "share/jupyter/labextensions/@gpugen/lab")},
        capture_output=True,
        text=True,
        check=False,
    )


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


@pytest.mark.parametrize(
    ("chosen", "most", "browser", "fails"),
    [
        ("", 0, 0, False),
        ("-k claim", 0, 5, False),
        ("-k claim", 5, 0, False),
        ("-k claim", 1, 5, True),
        ("-k claim", 5, 5, True),
        ("", 0, 5, True),
        ("", 0, 1, True),
    ],
)
def test_make_test_fails_unless_tests_ran_and_passed_but_a_choice_may_leave_one_half_empty(
    installed: Path, chosen: str, most: int, browser: int, fails: bool
) -> None:
    made = installed.parents[4]
    (made / "pytest").write_text(f'case "$*" in *"not browser"*) exit {most} ;; *) exit {browser} ;; esac\n')
    for name in (".dev", ".browser"):
        (made / name).touch()
    done = make(made, "test", PY=f"sh {made}/pytest", PYTEST_ARGS=chosen)
    assert bool(done.returncode) == fails, done.stderr
