"""Errors as answers, and the headers that every answer has."""

from __future__ import annotations

import http
from collections.abc import Iterable

import structlog
from tornado.web import HTTPError

from gpugen_protocol.errors import (
    PROBLEM_TYPE,
    GpugenError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
)

# Nothing here is a page, but for one that says so, and nobody needs to know what serves it.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
log = structlog.get_logger(__name__)


def of(error: BaseException | None, status: int = 500) -> Problem:
    """What a caller is told of `error`; of one of Tornado's, or none, `status` says more."""
    return _in_our_words(error, status).problem()


def headers(problem: Problem, methods: Iterable[str]) -> dict[str, str]:
    """Those of an answer that is this problem, all but the length, where there are these `methods`."""
    found = HEADERS | {"Content-Type": PROBLEM_TYPE}
    if problem.status == http.HTTPStatus.METHOD_NOT_ALLOWED:
        found["Allow"] = ", ".join(methods)
    if problem.status == http.HTTPStatus.UNAUTHORIZED:
        found["WWW-Authenticate"] = "Bearer"
    if problem.retry_after is not None:
        found["Retry-After"] = str(max(1, round(problem.retry_after)))
    return found


def note(error: BaseException | None, path: str) -> None:
    """Only what nobody foresaw deserves a traceback."""
    if error is not None and not isinstance(error, GpugenError | HTTPError):
        log.error("unexpected error", path=path, exc_info=error)


def _in_our_words(error: BaseException | None, status: int) -> GpugenError:
    if isinstance(error, GpugenError):
        return error
    if status == http.HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed()
    if status == http.HTTPStatus.NOT_FOUND:
        return NotFound()
    if http.HTTPStatus.BAD_REQUEST <= status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvalidRequest()
    return GpugenError("Something unexpected happened in the server.", hint="Its log tells more.")
