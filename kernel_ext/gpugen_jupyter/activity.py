"""Tasks as activity: a Jupyter server that would end for want of it stays while something is drawn."""

from __future__ import annotations

from tornado.ioloop import PeriodicCallback

from gpugen_jupyter import presence
from gpugen_jupyter.upstream import Upstream

LOOK_SECONDS = 30.0  # Jupyter asks once a minute, and wants the answer at once


class Activity:
    """Looks now and then, so that the answer is there when Jupyter asks."""

    def __init__(self, upstream: Upstream) -> None:
        self.unfinished = 0
        self._upstream = upstream
        self._clock = PeriodicCallback(self.look, LOOK_SECONDS * 1000)

    def start(self) -> None:
        """Begin to look."""
        self._clock.start()

    def stop(self) -> None:
        """Stop looking."""
        self._clock.stop()

    async def look(self) -> None:
        """Count what waits or runs; no server means nothing."""
        self.unfinished = (await presence.look(self._upstream)).unfinished
