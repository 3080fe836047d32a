"""A look at Jupyter: is the server extension enabled, is the panel there."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from gpugen.checkup.finding import Environ, Finding, ok, warn

PANEL = "@gpugen/lab"


def jupyter(_environ: Environ) -> Finding:
    """Whether notebooks find gpugen."""
    if find_spec("jupyter_server") is None:
        return warn("jupyter", "jupyter_server is not installed", "For notebooks: pip install 'gpugen[lab]'")
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    switch = _switch([Path(folder) for folder in jupyter_config_path()])
    if switch is None:
        return warn(
            "jupyter", "the server extension is not enabled", "jupyter server extension enable gpugen_jupyter"
        )
    if not switch:
        return warn(
            "jupyter", "the server extension is disabled", "jupyter server extension enable gpugen_jupyter"
        )
    panels = [folder for folder in map(Path, jupyter_path("labextensions")) if (folder / PANEL).exists()]
    if not panels:
        return warn(
            "jupyter", "the server extension is enabled, the panel is missing", "pip install 'gpugen[lab]'"
        )
    return ok("jupyter", f"server extension enabled, panel in {panels[0] / PANEL}")


def _switch(folders: list[Path]) -> bool | None:
    """What the first config file that knows our extension says of it; None: no file does."""
    for folder in folders:
        files = [
            folder / "jupyter_server_config.json",
            *sorted(folder.glob("jupyter_server_config.d/*.json")),
        ]
        for file in files:
            try:
                table = json.loads(file.read_text(encoding="utf-8"))["ServerApp"]["jpserver_extensions"]
                return bool(table["gpugen_jupyter"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return None
