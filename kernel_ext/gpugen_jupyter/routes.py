"""Which addresses of the gpugen server the browser can reach: a user's, never a worker's or an admin's."""

from __future__ import annotations

from typing import Any

from gpugen_jupyter.events import Events
from gpugen_jupyter.proxy import Proxy
from gpugen_protocol import paths

_PREFIX = "/gpugen"
_PASSED_ON = (
    (paths.TASKS, ("GET", "POST")),
    (paths.TASK, ("GET", "DELETE")),
    (paths.TASK_CANCEL, ("POST",)),
    (paths.TASK_RETRY, ("POST",)),
    (paths.TASK_EVENTS, ("GET",)),
    (paths.TASK_IMAGE, ("GET",)),
    (paths.MODELS, ("GET",)),
    (paths.WORKERS, ("GET",)),
    (paths.STATS, ("GET",)),
)


def routes() -> list[tuple[Any, ...]]:
    """The handlers, to be put under Jupyter's base URL."""
    proxied = [
        (_PREFIX + path.regex, Proxy, {"path": path, "methods": methods}) for path, methods in _PASSED_ON
    ]
    return [*proxied, (_PREFIX + paths.EVENTS.regex, Events)]
