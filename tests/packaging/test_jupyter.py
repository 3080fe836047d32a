"""Installed from wheel, sdist or work tree, without npm: Jupyter's own tools call panel and extension fit.

Each environment is a fresh one with nothing but gpugen; what that needs is borrowed from this one, so that
nothing is fetched.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTS = {
    "from jupyterlab.labextensions import main": r"@gpugen/lab v\S+ enabled OK \(python, gpugen\)",
    "from jupyter_server.extension.serverextension import main": r"gpugen_jupyter \S* ?OK",
}


class Environment:
    """A fresh one with no node and nothing of the user's; its `jlpm`, which the build wants, only fails."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", symlinks=True)
        self.python = folder / "venv" / "bin" / "python"
        jlpm = self.python.with_name("jlpm")
        jlpm.write_text("#!/bin/sh\necho 'npm was needed'\nexit 1\n")
        jlpm.chmod(0o755)
        self._folder = folder
        packages = folder / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        # A path in a .pth file is searched, but the .pth files there are not: gpugen itself is not borrowed.
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))

    def run(self, *arguments: str, folder: Path | None = None, **environ: str) -> str:
        """Everything that Python with `arguments` says."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        places = {"HOME": str(self._folder), "PATH": str(self.python.parent)}
        done = subprocess.run(
            [self.python, *arguments],
            cwd=folder or self._folder,
            env=kept | places | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return re.sub(r"\x1b\[\d+m", "", done.stdout)

    def install(self, *what: str, **environ: str) -> None:
        """With pip, from here alone."""
        flags = ("--no-index", "--no-deps", "--no-build-isolation", "--no-compile", "--quiet")
        self.run("-m", "pip", "--disable-pip-version-check", "install", *flags, *what, **environ)

    def build(self, sdist: Path) -> Path:
        """The wheel of `sdist`, as pip has it built; pip would have it built twice."""
        self.run("-m", "tarfile", "--extract", str(sdist), str(self._folder))
        source = self._folder / sdist.name.removesuffix(".tar.gz")
        self.run("-m", "hatchling", "build", "--target", "wheel", folder=source)
        (wheel,) = (source / "dist").iterdir()
        return wheel


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_jupyter_lists_both_as_enabled_and_ok(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    environment = Environment(tmp_path)
    if kind == "sdist":
        environment.install(str(environment.build(request.getfixturevalue("sdist"))))
    elif kind == "editable":  # `make` has built the panel by then
        environment.install("--editable", str(ROOT), HATCH_JUPYTER_BUILDER_SKIP_NPM="1")
    else:
        environment.install(str(request.getfixturevalue("wheel")))

    for program, line in LISTS.items():
        said = environment.run("-c", f"{program}; main()", "list")
        assert re.search(line, said), said
        assert str(tmp_path) in said
