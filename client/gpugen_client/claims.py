"""What a worker does: open a session, claim, report, upload, finish."""

from __future__ import annotations

import time

from gpugen_client import bucket
from gpugen_client.connection import Connection
from gpugen_protocol import paths, wire
from gpugen_protocol.events import Report
from gpugen_protocol.worker import (
    REVISION_HEADER,
    Beat,
    ClaimRequest,
    Completion,
    Failure,
    Lease,
    Leases,
    Release,
    Reports,
    Session,
    SessionRequest,
    Upload,
    UploadRequest,
)

DETOUR_SECONDS = 600.0  # after which a bucket that was out of reach is tried again
BEAT_TIMEOUT = (5.0, 10.0)  # seconds to connect, seconds for the answer: well below a lease's length


class WorkerApi:
    """The worker's side of the API. The registration token opens a session; its token does the rest.

    Every method raises as `Connection.call`; a lease that is no longer ours raises LeaseLost.
    """

    def __init__(self, url: str, registration_token: str) -> None:
        self._registration = Connection(url, registration_token)
        self._connection = self._beats = self._registration
        self._detour_until = 0.0  # until when images go through the server

    def open_session(self, request: SessionRequest) -> Session:
        """Introduce this worker; also the way back in after Unauthorized."""
        session = self._registration.call("POST", paths.WORKER_SESSIONS(), Session, body=request)
        self._use_token(session.token)
        return session

    def claim(self, request: ClaimRequest) -> tuple[Lease, ...]:
        """Wait up to `request.wait_seconds` for work; an empty tuple when there was none."""
        response = self._connection.send(
            "POST",
            paths.WORKER_CLAIMS(),
            data=wire.encode(request),
            headers={"Content-Type": "application/json"},
            timeout=(5.0, request.wait_seconds + 15.0),
        )
        if response.status_code != 200:
            return ()
        found = wire.decode(response.content, Leases)
        if isinstance(found.token, str):
            self._use_token(found.token)
        return found.leases

    def report(self, lease: str, events: tuple[Report, ...] = ()) -> Beat:
        """Tell what happened; renews the lease. Tried once and briefly: the next beat is soon."""
        beat = self._beats.call("POST", paths.LEASE_EVENTS(lease=lease), Beat, body=Reports(events=events))
        if isinstance(beat.token, str):
            self._use_token(beat.token)
        return beat

    def input(self, lease: str, wanted: str) -> bytes:
        """The PNG bytes of an image that the task starts from."""
        return self._connection.send("GET", paths.LEASE_INPUT(lease=lease, id=wanted)).content

    def upload(self, lease: str, index: int, png: bytes, revision: str = "") -> None:
        """Hand over image `index`, as soon as it is ready; `revision` says of which weights it is."""
        path = paths.LEASE_IMAGE(lease=lease, index=index)
        headers = {"Content-Type": "image/png", **({REVISION_HEADER: revision} if revision else {})}
        self._connection.send("PUT", path, data=png, headers=headers, timeout=(5.0, 120.0))

    def upload_to_bucket(self, lease: str, index: int, png: bytes, revision: str = "") -> None:
        """As `upload`, for a lease whose `uploads` says `bucket`.

        Raises Unavailable as long as the bucket is away: keep the image and try again. Where it is only
        out of reach from here, behind a firewall, the next tries go through the server.
        """
        if time.monotonic() < self._detour_until:
            self.upload(lease, index, png, revision)
            return
        wanted = UploadRequest(index=index)
        upload = self._connection.call("POST", paths.LEASE_UPLOADS(lease=lease), Upload, body=wanted)
        try:
            bucket.put(upload, png)
        except bucket.OutOfReach:
            self._detour_until = time.monotonic() + DETOUR_SECONDS
            raise
        self._connection.send(
            "POST",
            paths.LEASE_UPLOADED(lease=lease, index=index),
            headers={REVISION_HEADER: revision} if revision else None,
            timeout=(5.0, 120.0),
        )

    def complete(self, lease: str, completion: Completion) -> tuple[Lease, ...]:
        """The task is done; gives the next leases if `completion.claim` asked for them."""
        return self._connection.call(
            "POST", paths.LEASE_COMPLETE(lease=lease), Leases, body=completion
        ).leases

    def fail(self, lease: str, failure: Failure) -> None:
        """The task could not be done."""
        self._connection.call("POST", paths.LEASE_FAIL(lease=lease), type(None), body=failure)

    def release(self, lease: str, reason: str) -> None:
        """Give the task back untouched."""
        self._connection.call(
            "POST", paths.LEASE_RELEASE(lease=lease), type(None), body=Release(reason=reason)
        )

    def _use_token(self, token: str) -> None:
        self._connection = Connection(self._registration.url, token)
        self._beats = Connection(self._registration.url, token, retries=0, timeout=BEAT_TIMEOUT)
