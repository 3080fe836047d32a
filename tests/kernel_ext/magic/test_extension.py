"""Loading, unloading and configuring the extension, in IPython."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from IPython.core.error import UsageError
from traitlets import TraitError


def test_loading_takes_no_heavy_imports() -> None:
    code = (
        "import sys, IPython; known = set(sys.modules); import gpugen.magic; "
        "heavy = {'torch', 'PIL', 'ipywidgets', 'numpy', 'tornado', 'requests', 'websockets'}; "
        "print(sorted(heavy & (set(sys.modules) - known)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_it_can_be_loaded_twice_reloaded_and_unloaded(shell: Any) -> None:
    manager = shell.extension_manager
    for _ in range(2):
        manager.load_extension("gpugen")
    manager.reload_extension("gpugen")
    assert shell.find_line_magic("gpugen")
    assert shell.find_cell_magic("gpugen")
    configurables = [found for found in shell.configurables if type(found).__name__ == "GpuGenMagics"]
    assert len(configurables) == 1

    manager.unload_extension("gpugen")
    assert shell.find_line_magic("gpugen") is None
    assert shell.find_cell_magic("gpugen") is None
    assert not [found for found in shell.configurables if type(found).__name__ == "GpuGenMagics"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gpugen")]


def test_loading_asks_no_server(shell: Any, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("GPUGEN_URL", f"http://127.0.0.1:{free_port}")
    assert shell.extension_manager.load_extension("gpugen") is None
    shell.extension_manager.unload_extension("gpugen")


def test_the_help_is_shown_and_is_the_docstring(gpugen_shell: Any, capsys: Any) -> None:
    assert gpugen_shell.run_cell_magic("gpugen", "--help", "a cat") is None
    printed = capsys.readouterr().out
    assert "--guidance" in printed
    assert "%gpugen wait" in printed
    assert "--guidance" in gpugen_shell.find_cell_magic("gpugen").__doc__


@pytest.mark.parametrize(
    ("option", "value"),
    [("size", "large"), ("progress", "bar"), ("steps", "many"), ("guidance", "high")],
)
def test_a_default_that_cannot_be_is_refused_at_once(gpugen_shell: Any, option: str, value: str) -> None:
    magics = gpugen_shell.magics_manager.registry["GpuGenMagics"]
    with pytest.raises(TraitError):
        setattr(magics, option, value)


def test_show_without_a_task_says_what_is_missing(gpugen_shell: Any) -> None:
    with pytest.raises(UsageError, match="no task yet"):
        gpugen_shell.run_line_magic("gpugen", "show")


def test_braces_and_dollars_in_a_line_are_literal(gpugen_shell: Any, server: Any) -> None:
    gpugen_shell.user_ns["x"] = "expanded"
    gpugen_shell.run_cell("%gpugen --no-wait a {x} for $x")
    (task,) = server.tasks().list().tasks
    assert task.request.prompt == "a {x} for $x"
