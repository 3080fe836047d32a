"""The worker's log: one line an event, on stderr."""

from __future__ import annotations

import logging
import sys

log = logging.getLogger("gpugen.worker")


def set_up() -> None:
    """Send our lines to stderr; the libraries' own stay quiet unless they are errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
