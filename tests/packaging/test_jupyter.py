"""Jupyter's own tools find panel and server extension in this environment, and call them fit."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("labextension", "list"), r"@gpugen/lab v\S+ enabled OK \(python, gpugen\)"),
        (("server", "extension", "list"), r"gpugen_jupyter \S* ?OK"),
    ],
)
def test_jupyter_lists_it_as_enabled_and_ok(command: tuple[str, ...], line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", *command], capture_output=True, text=True, check=True
    )
    plain = re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr)

    assert re.search(line, plain), plain
