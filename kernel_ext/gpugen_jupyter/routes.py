"""Which addresses of the gpugen server the browser can reach: a user's, never a worker's or an admin's."""

from __future__ import annotations

from typing import Any

from gpugen_jupyter.events import Events
from gpugen_jupyter.presence import PATH as PRESENCE
from gpugen_jupyter.presence import Presence
from gpugen_jupyter.proxy import Proxy, Way
from gpugen_protocol import paths

_PREFIX = "/gpugen"
_MAX_INPUT = 26 << 20  # bytes; the server's own limit, for an image of 2048 x 2048 pixels, is a little lower
PASSED_ON = (
    Way(path=paths.TASKS, methods=("GET", "POST")),
    Way(path=paths.TASK, methods=("GET", "DELETE")),
    Way(path=paths.TASK_CANCEL, methods=("POST",)),
    Way(path=paths.TASK_RETRY, methods=("POST",)),
    Way(path=paths.TASK_EVENTS, methods=("GET",)),
    Way(path=paths.TASK_IMAGE, methods=("GET",), seconds=600.0),  # a large one, on a slow line
    Way(path=paths.INPUTS, methods=("POST",), max_body=_MAX_INPUT),
    Way(path=paths.GROUP, methods=("GET",)),
    Way(path=paths.GROUP_CANCEL, methods=("POST",)),
    Way(path=paths.MODELS, methods=("GET",)),
    Way(path=paths.WORKERS, methods=("GET",)),
    Way(path=paths.STATS, methods=("GET",)),
)


def routes() -> list[tuple[Any, ...]]:
    """The handlers, to be put under Jupyter's base URL."""
    proxied = [(_PREFIX + way.path.regex, Proxy, {"way": way}) for way in PASSED_ON]
    return [*proxied, (_PREFIX + paths.EVENTS.regex, Events), (_PREFIX + PRESENCE, Presence)]
