"""Where a browser finds full images: at the Jupyter server of this kernel, as whoever is logged in there."""

from __future__ import annotations

import os

from gpugen_protocol import paths
from gpugen_protocol.places import JUPYTER_URL


def image(task: str, index: int) -> str | None:
    """The address of image `index`, within the page's own host; None where no Jupyter has told us."""
    base = os.environ.get(JUPYTER_URL, "")
    return f"{base}gpugen{paths.TASK_IMAGE(id=task, index=index)}" if base.startswith("/") else None
