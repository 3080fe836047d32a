"""The Tornado application: routes, the access log, and a count of the requests in flight."""

from __future__ import annotations

import http
from functools import cache
from typing import Any

import structlog
from tornado import httputil
from tornado.web import RequestHandler, url

from gpugen_server.web.claims import WorkerHandler
from gpugen_server.web.handler import Missing
from gpugen_server.web.health import Healthz, Readyz
from gpugen_server.web.metrics import Requests
from gpugen_server.web.openapi import describe
from gpugen_server.web.reception import Site
from gpugen_server.web.reference import page
from gpugen_server.web.routes import ROUTES
from gpugen_server.web.services import Services
from gpugen_server.web.tasks import Tasks

MAX_COMMAND = 65_536  # bytes of a websocket message from a client
PING_SECONDS = 20.0
log = structlog.get_logger("gpugen_server.access")


def make_application(services: Services) -> Site:
    """All routes over `services`; Tornado tries one after the other."""
    arguments = {"services": services}
    often_first = sorted(ROUTES, key=lambda route: not issubclass(route.handler, WorkerHandler))
    rules: list[Any] = [url(f"{route.path.regex}$", route.handler, arguments) for route in often_first]
    return Site(
        rules,
        knows=services.gate.knows,
        default_handler_class=Missing,
        default_handler_args=arguments,
        log_function=_log_request,
        requests=Requests(),
        describe=cache(lambda: describe(ROUTES)),
        reference=cache(lambda: page(describe(ROUTES))),
        websocket_ping_interval=PING_SECONDS,
        websocket_ping_timeout=PING_SECONDS,
        websocket_max_message_size=MAX_COMMAND,
    )


def no_forms() -> None:
    """Nothing here reads forms, whose parsers have had many holes. Tornado knows this for a whole process."""
    httputil.set_parse_body_config(
        httputil.ParseBodyConfig(multipart=httputil.ParseMultipartConfig(enabled=False))
    )


def _log_request(handler: RequestHandler) -> None:
    status = handler.get_status()
    handler.settings["requests"].note(
        type(handler).__name__, handler.request.method or "", status, handler.request.request_time()
    )
    if status < http.HTTPStatus.BAD_REQUEST and _is_chatter(handler):
        return
    principal = getattr(handler, "principal", None)
    log.info(
        "request",
        method=handler.request.method,
        path=handler.request.path,
        status=status,
        milliseconds=round(handler.request.request_time() * 1000, 1),
        user=principal.user if principal else None,
    )


def _is_chatter(handler: RequestHandler) -> bool:
    """Whether it serves many a second, of which a line would tell nothing new if it went well: what a worker
    does is in the events of its tasks, who submitted what and when in the tasks.
    """
    is_submit = isinstance(handler, Tasks) and handler.request.method == "POST"
    return is_submit or isinstance(handler, WorkerHandler | Healthz | Readyz)
