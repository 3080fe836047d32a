"""The worker's side of the API: sessions, claims, leases, and what a worker reports."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gpugen_protocol.events import Report, Seconds
from gpugen_protocol.failures import FailureCode
from gpugen_protocol.request import ModelName, ResolvedRequest

PROTOCOL_VERSION = 2  # raised when an older worker can no longer be served

ShortText = Annotated[str, Meta(max_length=200)]
ModelNames = Annotated[tuple[ModelName, ...], Meta(max_length=200)]
VIA_HEADER = "Gpugen-Via"  # of a request for an image: `server` wants the bytes and no redirect to a bucket
REVISION_HEADER = "Gpugen-Revision"  # of an upload: which weights of the model have drawn it
MAX_REPORTS = 200  # in one post


class SessionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker introduces itself."""

    name: ShortText
    models: ModelNames = ()
    memory_bytes: Annotated[int, Meta(ge=0)] = 0
    max_pixels: Annotated[int, Meta(ge=0, description="The largest image it draws; 0: any.")] = 0
    version: ShortText
    protocol: int = PROTOCOL_VERSION
    device: ShortText = ""
    libraries: Annotated[dict[ShortText, ShortText], Meta(max_length=50)] = {}


class Session(Struct, frozen=True, kw_only=True):
    """The server's answer: a session token and the rhythm to keep, all in seconds.

    Without work a worker stays for `idle_seconds`; where they are null, as long as it likes: it is nobody's
    bill but its owner's.
    """

    worker_id: str
    token: str
    expires_in: float
    lease_seconds: float
    heartbeat_seconds: float
    poll_seconds: float
    idle_seconds: float | None = None


class ClaimRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for work and wait for it up to `wait_seconds`."""

    wait_seconds: Annotated[float, Meta(ge=0, le=60)] = 30.0
    models: ModelNames = ()
    loaded: ModelNames = ()
    max: Annotated[int, Meta(ge=1, le=8)] = 1


class WorkerTask(Struct, frozen=True, kw_only=True):
    """What a worker is told of a task: what to draw, and which attempt this is."""

    id: str
    request: ResolvedRequest
    attempt: int
    max_attempts: int


class Lease(Struct, frozen=True, kw_only=True):
    """The right to work on a task for `expires_in` seconds; every post on it renews it."""

    id: str
    expires_in: float
    task: WorkerTask
    uploads: Literal["server", "bucket"] = "server"


class Leases(Struct, frozen=True, kw_only=True):
    """The tasks a claim brought. Now and then it brings a fresh session token."""

    leases: tuple[Lease, ...] = ()
    token: str | UnsetType = UNSET


class Reports(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened since the last post; an empty list is a plain heartbeat."""

    events: Annotated[tuple[Report, ...], Meta(max_length=MAX_REPORTS)] = ()


class Beat(Struct, frozen=True, kw_only=True):
    """The server's answer to a post: go on or stop, for how long the lease holds, whether anyone watches.

    Now and then it brings a fresh session token.
    """

    lease_seconds: float
    cancel: bool = False
    previews: bool = True
    token: str | UnsetType = UNSET


class UploadRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for an address to send image `index` to."""

    index: Annotated[int, Meta(ge=0, le=999_999)]


class Upload(Struct, frozen=True, kw_only=True):
    """How to send one image to the bucket: with exactly these headers, once, within `expires_in` seconds."""

    url: str
    method: str
    headers: dict[str, str]
    expires_in: float


class Completion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The task is done; with `claim` the next one is claimed in the same request."""

    loading_seconds: Seconds | None = None
    drawing_seconds: Seconds | None = None
    claim: ClaimRequest | None = None


class Failure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The task could not be done; a retryable failure leaves it to another attempt."""

    code: FailureCode
    message: Annotated[str, Meta(max_length=2000)]
    hint: Annotated[str, Meta(max_length=500)] = ""
    retryable: bool = False


class Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The worker gives the task back untouched; this does not count against it."""

    reason: ShortText = ""


class Worker(Struct, frozen=True, kw_only=True):
    """A worker as users see it."""

    id: str
    name: str
    state: Literal["idle", "busy", "draining", "set aside", "gone"]
    text: str = ""
    models: tuple[str, ...]
    device: str
    version: str
    memory_bytes: int
    task: str | None = None
    started_at: str
    seen_at: str


class Machine(Struct, frozen=True, kw_only=True):
    """A machine of the autoscaler, from the wish for it to its end.

    Attributes:
        state: `asked` for, `up` and booting, `serving` once its worker is there, `leaving`.
        text: where it is, or why it leaves.
        worker: the id of its worker, once that is there.
        hourly: what an hour of it is estimated to cost, in US dollars.
    """

    name: str
    state: Literal["asked", "up", "serving", "leaving"]
    text: str = ""
    worker: str | None = None
    hourly: float = 0.0
    created_at: str


class WorkerList(Struct, frozen=True, kw_only=True):
    """All workers that showed themselves lately, the autoscaler's machines, and what it does."""

    workers: tuple[Worker, ...]
    machines: tuple[Machine, ...] = ()
    autoscaler: str = "none"
    autoscaler_text: str = ""
