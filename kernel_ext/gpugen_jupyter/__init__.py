"""The Jupyter Server extension: the browser's way to the gpugen server, the same one that kernels use."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from gpugen_jupyter.app import GpugenExtension

    return [{"module": "gpugen_jupyter", "app": GpugenExtension}]
