"""The error tree, its stable codes, and the problem document that carries an error over HTTP (RFC 9457).

Strategy: one base class; a subclass fixes `code` (what programs rely on), `status` (what HTTP says) and
a default sentence (its docstring). Raise with the sentence for this very case and, where there is one,
a `hint`: what the reader should do next. The server turns any of these into a problem document in one
place, the client turns a problem document back into the same class in one place.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

PROBLEM_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """One refused field: `path` as in `width` or `events[3].step`, and what is wrong with it."""

    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error on the wire: RFC 9457 with our stable `code`, a `hint` and the refused fields."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"
    hint: str = ""
    errors: tuple[FieldError, ...] = ()
    retry_after: float | None = None


class GpugenError(Exception):
    """Something went wrong in gpugen."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.message = message or str(type(self).__doc__)
        self.hint = hint
        self.errors = errors
        self.retry_after = retry_after
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def _render_traceback_(self) -> list[str]:
        """One line in a notebook instead of a wall of traceback (IPython calls this)."""
        return [f"{type(self).__name__}: {self}"]

    def problem(self) -> Problem:
        """The same error as a document for the wire."""
        return Problem(
            title=str(type(self).__doc__),
            status=self.status,
            detail=self.message,
            code=self.code,
            hint=self.hint,
            errors=self.errors,
            retry_after=self.retry_after,
        )


class InvalidRequest(GpugenError):
    """The request is not valid."""

    code = "invalid_request"
    status = 400


class UnknownModel(InvalidRequest):
    """There is no model of that name."""

    code = "unknown_model"


class NotSupported(InvalidRequest):
    """The model cannot do what was asked."""

    code = "not_supported"


class TooCostly(InvalidRequest):
    """The request asks for more work than one task may."""

    code = "too_costly"


class Unauthorized(GpugenError):
    """The token is missing, wrong, expired or revoked."""

    code = "unauthorized"
    status = 401


class Forbidden(GpugenError):
    """The token may not do this."""

    code = "forbidden"
    status = 403


class NotFound(GpugenError):
    """There is no such thing here."""

    code = "not_found"
    status = 404


class MethodNotAllowed(GpugenError):
    """This address does not know that method."""

    code = "method_not_allowed"
    status = 405


class Conflict(GpugenError):
    """The request contradicts what is already there."""

    code = "conflict"
    status = 409


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was used before with another body."""

    code = "idempotency_conflict"


class LeaseLost(Conflict):
    """This lease is not the current one any more."""

    code = "lease_lost"


class BodyTooLarge(GpugenError):
    """The body is larger than this address accepts."""

    code = "body_too_large"
    status = 413


class InvalidImage(GpugenError):
    """The uploaded bytes are not the promised image."""

    code = "invalid_image"
    status = 422


class WorkerTooOld(GpugenError):
    """This worker speaks an older protocol than the server."""

    code = "worker_too_old"
    status = 426


class TooManyRequests(GpugenError):
    """Too many requests, or too many tasks waiting."""

    code = "too_many_requests"
    status = 429


class TooManyTasks(TooManyRequests):
    """As many tasks are waiting as may wait."""

    code = "too_many_tasks"


class Unavailable(GpugenError):
    """The server cannot do this just now."""

    code = "unavailable"
    status = 503


class StorageFull(GpugenError):
    """The disk of the server is full."""

    code = "storage_full"
    status = 507


# ---- errors that arise on the user's side and never travel as a problem document ----


class ServerUnreachable(GpugenError):
    """The gpugen server cannot be reached."""

    code = "server_unreachable"


class TaskFailed(GpugenError):
    """The task failed."""

    code = "task_failed"
    task: str = ""  # its id
    reason: str = ""  # the stable code of its failure, such as `out_of_memory`


class TaskCanceled(GpugenError):
    """The task was canceled."""

    code = "task_canceled"
    task: str = ""  # its id


class SaveFailed(GpugenError):
    """The image could not be saved."""

    code = "save_failed"


class MissingExtra(GpugenError):
    """A part of gpugen that is needed here is not installed."""

    code = "missing_extra"


class Misconfigured(GpugenError):
    """A setting cannot be used."""

    code = "misconfigured"


class LocalServerFailed(GpugenError):
    """The private server of this user did not start."""

    code = "local_server_failed"


class VersionMismatch(GpugenError):
    """The private server belongs to another version of gpugen."""

    code = "version_mismatch"


def _tree(cls: type[GpugenError]) -> list[type[GpugenError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in _tree(child))]


def error_classes() -> dict[str, type[GpugenError]]:
    """Every error by its code; the table in the docs is made from it.

    A class without a code of its own, wherever it is, is a special case of another: it does not travel.
    """
    return {cls.code: cls for cls in _tree(GpugenError) if "code" in vars(cls)}


def from_problem(body: bytes, status: int) -> GpugenError:
    """The error a problem document stands for.

    A body that is no problem document (a proxy's page, say) gives the class of its status, or the base.
    """
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError:
        return _from_status(status)
    cls = error_classes().get(problem.code, GpugenError)
    return cls(problem.detail, hint=problem.hint, errors=problem.errors, retry_after=problem.retry_after)


def _from_status(status: int) -> GpugenError:
    for cls in (Unauthorized, Forbidden, NotFound, BodyTooLarge, TooManyRequests, Unavailable):
        if cls.status == status:
            return cls()
    return GpugenError(f"The server answered with status {status} and no explanation.")


def describe(error: Any) -> str:
    """`error` as one line for a log: its class and its first line, never a traceback."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
