"""Loading, unloading and configuring the extension, in IPython."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from IPython.core.error import StdinNotImplementedError, UsageError
from traitlets import TraitError

from gpugen import session


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
    with pytest.raises(UsageError, match=r"This kernel has submitted nothing yet.*then `%gpugen show ID`"):
        gpugen_shell.run_line_magic("gpugen", "show")


def test_braces_and_dollars_in_a_line_are_literal(gpugen_shell: Any, server: Any) -> None:
    gpugen_shell.user_ns["x"] = "expanded"
    gpugen_shell.run_cell("%gpugen --no-wait a {x} for $x")
    (task,) = server.tasks().list().tasks
    assert task.request.prompt == "a {x} for $x"


def test_defaults_come_from_the_environment_over_ipython_s_files_under_config(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.config.GpuGenMagics.size = "64x64"
    shell.config.GpuGenMagics.steps = 3
    monkeypatch.setenv("GPUGEN_MAGIC_STEPS", "7")
    shell.extension_manager.load_extension("gpugen")
    magics = shell.magics_manager.registry["GpuGenMagics"]
    assert (magics.size, magics.steps) == ("64x64", 7)
    shell.run_line_magic("config", "GpuGenMagics.steps = 9")
    assert magics.options()["steps"] == 9
    shell.extension_manager.unload_extension("gpugen")


def test_a_default_in_the_environment_that_cannot_be_is_named(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUGEN_MAGIC_SIZE", "large")
    with pytest.raises(UsageError, match="GPUGEN_MAGIC_SIZE cannot be 'large'"):
        shell.extension_manager.load_extension("gpugen")


def test_connect_takes_the_token_from_a_file_and_lets_nobody_in_without(
    gpugen_shell: Any, server: Any, tmp_path: Any, capsys: Any
) -> None:
    from gpugen_protocol.errors import Unauthorized

    token = tmp_path / "token"
    token.write_text("gg_wrong\n")
    with pytest.raises(Unauthorized):
        gpugen_shell.run_line_magic("gpugen", f"connect {server.url} {token}")
    token.write_text(f"{server.user_token}\n")
    gpugen_shell.run_line_magic("gpugen", f"connect {server.url} {token}")
    assert server.url in capsys.readouterr().out
    with pytest.raises(UsageError, match="cannot be read"):
        gpugen_shell.run_line_magic("gpugen", f"connect {server.url} {tmp_path}/nothing")


def test_connect_where_nobody_can_be_asked_for_the_token_names_the_file(
    gpugen_shell: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> str:
        raise StdinNotImplementedError("this frontend does not support input requests")

    monkeypatch.setattr(session.getpass, "getpass", refuse)
    with pytest.raises(UsageError) as refused:
        gpugen_shell.run_line_magic("gpugen", f"connect {server.url}")
    assert str(refused.value) == f"No token can be asked for here: %gpugen connect {server.url} TOKEN_FILE."


def test_a_mistyped_id_draws_nothing(gpugen_shell: Any, server: Any) -> None:
    from gpugen_protocol.errors import NotFound

    for name in ("cancel", "show", "status", "wait", "attach", "retry", "logs"):
        with pytest.raises(NotFound, match="There is no task 01m89zzzzz"):
            gpugen_shell.run_line_magic("gpugen", f"{name} 01m89zzzzz")
    assert not server.tasks().list().tasks


def test_too_many_tasks_are_one_line_that_says_so(make_server: Any, shell: Any, monkeypatch: Any) -> None:
    from gpugen_protocol.errors import TooManyRequests

    server = make_server(max_tasks_per_user=1)
    monkeypatch.setenv("GPUGEN_URL", server.url)
    monkeypatch.setenv("GPUGEN_TOKEN", server.user_token)
    shell.extension_manager.load_extension("gpugen")
    shell.run_line_magic("gpugen", "--no-wait a cat")
    with pytest.raises(TooManyRequests) as refused:
        shell.run_line_magic("gpugen", "--no-wait a dog")
    assert len(refused.value._render_traceback_()) == 1
    shell.extension_manager.unload_extension("gpugen")
