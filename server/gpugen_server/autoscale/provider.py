"""Where workers come from, as the autoscaler sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from gpugen_protocol.task import TaskFailure

WORKER_USER = "autoscaler"  # the user whose worker token started workers carry; tells them from others


class Ended(Struct, frozen=True, kw_only=True):
    """A worker that was started has ended: its exit code, its last line, how many seconds it was there."""

    code: int
    last_words: str
    lived: float


class Provider(Protocol):
    """Starts workers somewhere, with the server's address and a worker token of WORKER_USER."""

    place: str  # as in "Starting a worker on this machine"

    @property
    def running(self) -> int:
        """How many workers it has started that have not ended."""

    def obstacle(self) -> TaskFailure | None:
        """Why no worker can ever start here, if so."""

    async def start(self, on_end: Callable[[Ended], None]) -> None:
        """Start one worker; `on_end` is called on the event loop when it has ended."""

    async def stop(self) -> None:
        """End all workers it started."""
