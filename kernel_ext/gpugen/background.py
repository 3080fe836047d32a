"""What a cell sent off without waiting: a thread shows it, until the notebook waits after all."""

from __future__ import annotations

import contextlib
import threading

from gpugen.followed import Followed
from gpugen_protocol.errors import GpugenError


class Background:
    """Follows a task, or a grid, in a thread of its own, which only sets traits and updates displays."""

    def __init__(self, submission: Followed) -> None:
        self.submission = submission
        self._taken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"gpugen-{submission.id}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the task is not finished yet, as far as is known here."""
        return self._thread.is_alive()

    def wait(self) -> object:
        """Go on in the calling thread, to the end; raises as `Submission.follow`.

        What the thread showed while no cell ran may have been missed by a program that runs notebooks: such a
        program listens to the running cell alone. So the end is shown again from here.
        """
        self.stop()
        return self.submission.follow()

    def stop(self) -> None:
        """Let go of the task; it goes on, on the server."""
        self._taken.set()
        self._thread.join()

    def _run(self) -> None:
        if self.submission.pump(until=self._taken.is_set):
            with contextlib.suppress(GpugenError):  # the card says it; `wait` raises it
                self.submission.conclude()
