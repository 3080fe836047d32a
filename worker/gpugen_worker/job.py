"""One task from its lease to its end: draw, hand over each image, say how it went."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from gpugen_protocol.errors import GpugenError, InvalidImage, LeaseLost, StorageFull, describe
from gpugen_protocol.failures import FailureCode
from gpugen_protocol.worker import ClaimRequest, Completion, Failure, Lease
from gpugen_worker import starts
from gpugen_worker.backoff import Backoff
from gpugen_worker.generator import NOISE, DrawingFailed, Generator, Interrupted, Start, revision_of
from gpugen_worker.keeper import Keeper
from gpugen_worker.lease import CANCELED, OVER, Hold
from gpugen_worker.log import log
from gpugen_worker.session import ServerSession, is_passing
from gpugen_worker.stop import Stopped
from gpugen_worker.text import sendable

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")


class Job:
    """Runs leases, one after the other."""

    def __init__(self, session: ServerSession, keeper: Keeper, generator: Generator) -> None:
        self._session = session
        self._keeper = keeper
        self._generator = generator

    def run(self, lease: Lease, next_claim: Callable[[], ClaimRequest | None]) -> tuple[Lease, ...]:
        """Draw the task of `lease` and finish it; gives the leases that `next_claim` brought with the finish.

        Raises:
            Stopped: the worker must end; the task was given back.
        """
        task = lease.task
        request = task.request
        log.info("Task %s, attempt %d: %d image(s) by %s", task.id, task.attempt, request.n, request.model)
        with self._keeper.hold(lease) as hold:
            try:
                failure = self._attempt(hold)
            except Stopped:
                hold.release()
                raise
        return self._finish(hold, failure, next_claim)

    def _attempt(self, hold: Hold) -> Failure | None:
        try:
            start = self._start(hold)
            for index, image in enumerate(self._generator.draw(hold.lease.task.request, hold, start)):
                hold.phase("uploading", _handing_over(index, hold.lease.task.request.n), image=index)
                upload = partial(self._upload, hold, index, encode_png(image), revision_of(image))
                self._while_held(hold, upload)
                hold.check()
        except Interrupted:
            return CANCELED
        except DrawingFailed as error:
            failure = error.report()  # cleaned: a name of a file may be no text
            log.warning("Task %s failed: %s %s", hold.lease.task.id, failure.message, failure.hint)
            return failure
        except GpugenError as error:
            return _refused(hold, error)
        except Exception as error:
            log.exception("Task %s failed in an unforeseen way", hold.lease.task.id)
            return _unforeseen(error)
        return None

    def _start(self, hold: Hold) -> Start:
        """The images that the task starts from."""
        request = hold.lease.task.request

        def fetch(wanted: str) -> bytes:
            hold.check()
            return self._session.input(hold.lease.id, wanted)

        found = [self._while_held(hold, partial(fetch, wanted)) for wanted in request.inputs]
        return starts.read(request, *found) if found else NOISE

    def _upload(self, hold: Hold, index: int, png: bytes, revision: str) -> None:
        hold.check()  # also before each further try
        self._session.upload(hold.lease, index, png, revision)

    def _finish(
        self, hold: Hold, failure: Failure | None, next_claim: Callable[[], ClaimRequest | None]
    ) -> tuple[Lease, ...]:
        """Say how it went, as long as the lease lasts; a task that is not ours any more is left alone."""
        if hold.reason in OVER:
            log.warning("Task %s was dropped: it was %s", hold.lease.task.id, hold.reason)
            return ()
        try:
            return self._while_held(hold, lambda: self._say(hold, failure, next_claim))
        except (GpugenError, Interrupted) as error:
            log.warning("The end of task %s was not accepted. %s", hold.lease.task.id, describe(error))
            return ()

    def _say(
        self, hold: Hold, failure: Failure | None, next_claim: Callable[[], ClaimRequest | None]
    ) -> tuple[Lease, ...]:
        if failure is not None:
            self._session.fail(hold.lease.id, failure)
            return ()
        seconds = hold.seconds
        completion = Completion(
            loading_seconds=seconds.get("loading", 0.0),
            drawing_seconds=seconds.get("drawing", 0.0) + seconds.get("decoding", 0.0),
            claim=next_claim(),
        )
        leases = self._session.complete(hold.lease.id, completion)
        log.info("Task %s done in %.2f s of drawing", hold.lease.task.id, completion.drawing_seconds)
        return leases

    def _while_held(self, hold: Hold, call: Callable[[], T]) -> T:
        """Try again while the server is away, as long as the lease lasts.

        A full disk gets the length of one lease to be cleared: heartbeats may get through meanwhile.
        """
        backoff = Backoff(longest=3.0)
        full_until = time.monotonic() + hold.lease.expires_in
        while True:
            try:
                return call()
            except GpugenError as error:
                if not is_passing(error) or hold.expired:
                    raise
                if isinstance(error, StorageFull) and time.monotonic() > full_until:
                    raise
                log.warning("%s Trying again.", error.message)
                time.sleep(backoff.next())


def _handing_over(index: int, n: int) -> str:
    return f"Handing over image {index + 1} of {n}" if n > 1 else ""


def encode_png(image: Image) -> bytes:
    """`image` as PNG; the fastest level, since the server stores it once and nobody waits for bytes here."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _refused(hold: Hold, error: GpugenError) -> Failure | None:
    """What it means that the server did not take an image."""
    full = isinstance(error, StorageFull)
    if isinstance(error, LeaseLost) or (is_passing(error) and not full):  # the lease ended before it passed
        hold.lose()
        return None
    codes: dict[type[GpugenError], FailureCode] = {StorageFull: "storage_full", InvalidImage: "invalid_image"}
    return Failure(
        code=codes.get(type(error), "error"),
        message=sendable(error.message, 2000),
        hint=sendable(error.hint, 500),
    )


def _unforeseen(error: Exception) -> Failure:
    """A failure nobody wrote a sentence for; another attempt may help only where the machine was at fault."""
    return Failure(
        code="error",
        message=sendable(f"The worker failed: {describe(error)}", 2000),
        hint="The worker's log has the details.",
        retryable=isinstance(error, OSError | RuntimeError | MemoryError),
    )
