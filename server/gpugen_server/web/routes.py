"""Which address goes to which handler, and what goes in and out there."""

from __future__ import annotations

from typing import Any

from gpugen_protocol import paths
from gpugen_protocol.events import EventPage
from gpugen_protocol.health import Health, Stats
from gpugen_protocol.models import ModelList
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import Group, Input, Task, TaskPage
from gpugen_protocol.tokens import NewToken, TokenList, TokenRequest
from gpugen_protocol.worker import (
    Beat,
    ClaimRequest,
    Completion,
    Failure,
    Leases,
    Release,
    Reports,
    Session,
    SessionRequest,
    Upload,
    UploadRequest,
    WorkerList,
)
from gpugen_server.web import (
    claims,
    groups,
    health,
    images,
    inputs,
    metrics,
    openapi,
    reference,
    tasks,
    tokens,
    updates,
)
from gpugen_server.web.queries import EventQuery, ImageQuery, SocketQuery, TaskQuery
from gpugen_server.web.route import Call, Page, Route


def _get(answer: Any, query: Any = None) -> dict[str, Call]:
    return {"get": Call(answer=answer, query=query)}


def _post(body: Any, answer: Any, status: int = 200, also: tuple[int, ...] = ()) -> dict[str, Call]:
    return {"post": Call(body=body, answer=answer, status=status, also=also)}


def _image() -> dict[str, Call]:
    """With 302 it is in a bucket, with 304 the caller has it already."""
    return {"get": Call(answer=bytes, query=ImageQuery, also=(302, 304))}


ROUTES: tuple[Route, ...] = (
    Route(paths.TASKS, tasks.Tasks, _post(TaskRequest, Task, 201, (200,)) | _get(TaskPage, TaskQuery)),
    Route(paths.TASK, tasks.OneTask, _get(Task) | {"delete": Call(status=204)}),
    Route(paths.TASK_CANCEL, tasks.TaskCancel, _post(None, Task)),
    Route(paths.TASK_RETRY, tasks.TaskRetry, _post(None, Task, 201)),
    Route(paths.TASK_EVENTS, tasks.TaskEvents, _get(EventPage, EventQuery)),
    Route(paths.TASK_IMAGE, images.TaskImage, _image()),
    Route(paths.GROUP, groups.OneGroup, _get(Group)),
    Route(paths.GROUP_CANCEL, groups.GroupCancel, _post(None, Group)),
    Route(paths.INPUTS, inputs.Inputs, {"post": Call(body=bytes, answer=Input, status=201)}),
    Route(paths.EVENTS, updates.Updates, {"get": Call(query=SocketQuery, status=101)}),
    Route(paths.MODELS, health.Models, _get(ModelList)),
    Route(paths.WORKERS, health.Workers, _get(WorkerList)),
    Route(paths.STATS, health.Numbers, _get(Stats)),
    Route(paths.TOKENS, tokens.Tokens, _post(TokenRequest, NewToken, 201) | _get(TokenList)),
    Route(paths.TOKEN, tokens.OneToken, {"delete": Call(status=204)}),
    Route(paths.WORKER_SESSIONS, claims.WorkerSessions, _post(SessionRequest, Session, 201)),
    Route(paths.WORKER_CLAIMS, claims.WorkerClaims, _post(ClaimRequest, Leases, also=(204,))),
    Route(paths.LEASE_EVENTS, claims.LeaseEvents, _post(Reports, Beat)),
    Route(paths.LEASE_INPUT, inputs.LeaseInput, _get(bytes)),
    Route(paths.LEASE_IMAGE, images.LeaseImage, {"put": Call(body=bytes, answer=Beat)}),
    Route(paths.LEASE_UPLOADS, images.LeaseUploads, _post(UploadRequest, Upload)),
    Route(paths.LEASE_UPLOADED, images.LeaseUploaded, _post(None, Beat)),
    Route(paths.LEASE_COMPLETE, claims.LeaseComplete, _post(Completion, Leases)),
    Route(paths.LEASE_FAIL, claims.LeaseFail, _post(Failure, None, 204)),
    Route(paths.LEASE_RELEASE, claims.LeaseRelease, _post(Release, None, 204)),
    Route(paths.HEALTHZ, health.Healthz, _get(Health)),
    Route(paths.READYZ, health.Readyz, _get(Health)),
    Route(paths.METRICS, metrics.Metrics, _get(str)),
    Route(paths.OPENAPI, openapi.OpenApi, _get(dict)),
    Route(paths.DOCS, reference.Reference, _get(Page)),
)
