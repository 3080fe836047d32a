"""Images from a prompt: `gpugen.Client` in Python, `%%gpugen` in a notebook, `gpugen` in a terminal.

Importing this is cheap: everything heavy loads when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gpugen_protocol import __version__

if TYPE_CHECKING:
    from gpugen.client import Client, Task
    from gpugen.recipes import recipe
    from gpugen.result import Result
    from gpugen_protocol.errors import (
        GpugenError,
        InvalidRequest,
        MissingExtra,
        ServerUnreachable,
        TaskCanceled,
        TaskFailed,
    )
    from gpugen_protocol.recipe import Recipe

_HOMES = {
    "Client": "gpugen.client",
    "Task": "gpugen.client",
    "Result": "gpugen.result",
    "Recipe": "gpugen_protocol.recipe",
    "recipe": "gpugen.recipes",
    "GpugenError": "gpugen_protocol.errors",
    "InvalidRequest": "gpugen_protocol.errors",
    "MissingExtra": "gpugen_protocol.errors",
    "ServerUnreachable": "gpugen_protocol.errors",
    "TaskCanceled": "gpugen_protocol.errors",
    "TaskFailed": "gpugen_protocol.errors",
}

__all__ = [
    "Client",
    "GpugenError",
    "InvalidRequest",
    "MissingExtra",
    "Recipe",
    "Result",
    "ServerUnreachable",
    "Task",
    "TaskCanceled",
    "TaskFailed",
    "__version__",
    "load_ipython_extension",
    "recipe",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gpugen' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ip: Any) -> None:
    """What `%load_ext gpugen` calls."""
    from gpugen import magic

    magic.load_ipython_extension(ip)


def unload_ipython_extension(ip: Any) -> None:
    """What `%unload_ext gpugen` and `%reload_ext gpugen` call."""
    from gpugen import magic

    magic.unload_ipython_extension(ip)
