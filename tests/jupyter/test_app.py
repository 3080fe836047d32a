"""The extension's life in Jupyter Server: what loading does, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from gpugen_jupyter.app import GpugenExtension


def test_loading_pins_the_kernels_to_the_named_server(jp_serverapp: Any, server: Any, tmp_path: Path) -> None:
    env = jp_serverapp.session_manager.get_kernel_env("a.ipynb")

    assert env["GPUGEN_URL"] == server.url
    assert env["GPUGEN_TOKEN"] == server.user_token
    assert env["GPUGEN_DATA_DIR"] == str(tmp_path / "data of the user")


async def test_stopping_is_safe_without_a_start_and_twice(jp_serverapp: Any) -> None:
    await GpugenExtension().stop_extension()
    for apps in jp_serverapp.extension_manager.extension_apps.values():
        for app in apps:
            if isinstance(app, GpugenExtension):
                await app.stop_extension()
                await app.stop_extension()


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, gpugen_jupyter.app; "
        "print([m for m in ('torch','peewee','PIL','diffusers','IPython','ipywidgets') if m in sys.modules])"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GPUGEN_")}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean
    )
    assert found.stdout.strip() == "[]"
