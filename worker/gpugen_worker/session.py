"""The worker's session with the server: opened once, and again whenever the server has forgotten it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from gpugen_client.claims import WorkerApi
from gpugen_protocol.errors import (
    GpugenError,
    LeaseLost,
    ServerUnreachable,
    StorageFull,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from gpugen_protocol.events import Report
from gpugen_protocol.worker import (
    Beat,
    ClaimRequest,
    Completion,
    Failure,
    Lease,
    Session,
    SessionRequest,
)
from gpugen_worker.log import log

T = TypeVar("T")


def is_passing(error: GpugenError) -> bool:
    """Whether the same call may work a little later."""
    if isinstance(error, LeaseLost):
        return False
    if isinstance(error, ServerUnreachable | Unavailable | TooManyRequests | StorageFull):
        return True
    return type(error) is GpugenError


class ServerSession:
    """The calls of WorkerApi under a session that renews itself. Safe to use from two threads.

    Every method raises as WorkerApi does; Unauthorized means that the registration token is refused.
    """

    def __init__(self, api: WorkerApi, introduction: SessionRequest) -> None:
        self._api = api
        self._introduction = introduction
        self._lock = threading.Lock()
        self._opened = 0
        self.terms: Session

    def open(self) -> Session:
        """Introduce this worker; `terms` holds what the server answered."""
        self.terms = self._api.open_session(self._introduction)
        self._opened += 1
        return self.terms

    def claim(self, request: ClaimRequest) -> tuple[Lease, ...]:
        """Wait for work."""
        return self._call(lambda: self._api.claim(request))

    def report(self, lease: str, events: tuple[Report, ...]) -> Beat:
        """Tell what happened; renews the lease."""
        return self._call(lambda: self._api.report(lease, events))

    def input(self, lease: str, wanted: str) -> bytes:
        """An image that the task starts from."""
        return self._call(lambda: self._api.input(lease, wanted))

    def upload(self, lease: Lease, index: int, png: bytes, revision: str = "") -> None:
        """Hand over an image, to whom the lease says; `revision` says of which weights it is."""
        send = self._api.upload_to_bucket if lease.uploads == "bucket" else self._api.upload
        self._call(lambda: send(lease.id, index, png, revision))

    def complete(self, lease: str, completion: Completion) -> tuple[Lease, ...]:
        """The task is done."""
        return self._call(lambda: self._api.complete(lease, completion))

    def fail(self, lease: str, failure: Failure) -> None:
        """The task could not be done."""
        self._call(lambda: self._api.fail(lease, failure))

    def release(self, lease: str, reason: str) -> None:
        """Give the task back."""
        self._call(lambda: self._api.release(lease, reason))

    def _call(self, call: Callable[[], T]) -> T:
        opened = self._opened
        try:
            return call()
        except Unauthorized:
            self._reopen(opened)
            return call()

    def _reopen(self, opened: int) -> None:
        with self._lock:
            if self._opened == opened:  # else the other thread has just done it
                self.open()
                log.warning(
                    "The server did not know this worker's session any more; it goes on as worker %s. "
                    "A task it held is lost: the server gives it to a worker again.",
                    self.terms.worker_id,
                )
