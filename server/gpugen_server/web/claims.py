"""The worker's side: session, claim, report, finish."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from tornado.httputil import HTTPServerRequest

from gpugen_protocol.errors import Unauthorized, WorkerTooOld
from gpugen_protocol.events import Report
from gpugen_protocol.worker import (
    PROTOCOL_VERSION,
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
)
from gpugen_server import tokens
from gpugen_server.autoscale import machines
from gpugen_server.autoscale.provider import WORKER_USER
from gpugen_server.database import Store
from gpugen_server.queue import finish, report, workers
from gpugen_server.queue.claim import Claimer, claim
from gpugen_server.queue.lease import Held
from gpugen_server.tokens.keeper import SESSION_SECONDS, Principal
from gpugen_server.web.dispatch import Ticket
from gpugen_server.web.handler import Handler
from gpugen_server.web.services import Services

REPORT_BYTES = 1_000_000


class WorkerSessions(Handler):
    """`/worker/sessions`."""

    role = "registration"

    async def post(self) -> None:
        """Introduce a worker."""
        request = self.read(SessionRequest)
        if request.protocol < PROTOCOL_VERSION:
            raise WorkerTooOld(
                f"This worker (gpugen {request.version}) speaks protocol {request.protocol}, the server "
                f"{PROTOCOL_VERSION}.",
                hint="Update gpugen on the worker's machine.",
            )
        self.services.count_session(self.principal.token)
        worker, token = await self.services.database.run(_register, request, self.principal)
        settings = self.services.settings
        session = Session(
            worker_id=worker,
            token=token,
            expires_in=SESSION_SECONDS,
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            poll_seconds=settings.poll_seconds,
            idle_seconds=settings.idle_exit if self.principal.user == WORKER_USER else None,
        )
        self.answer(session, 201)


class WorkerHandler(Handler):
    """What the handlers of a worker's session share."""

    role = "session"

    @property
    def worker(self) -> str:
        """Who asks."""
        assert self.principal.worker is not None  # the role has made sure
        return self.principal.worker

    def claimer(self, request: ClaimRequest) -> Claimer:
        """The same worker as the queue knows it."""
        return Claimer(
            worker=self.worker,
            models=request.models,
            count=request.max,
            loaded=request.loaded,
            lease_seconds=self.services.settings.lease_seconds,
            longest_pass=self.services.settings.longest_pass,
        )

    def session_outlasts(self, request: ClaimRequest) -> bool:
        """Whether the token holds until the wait is over and the lease is renewed; beats bring new tokens."""
        needed = request.wait_seconds + self.services.settings.lease_seconds
        expires_at = self.principal.expires_at
        left = None if expires_at is None else expires_at - self.services.database.now()
        return left is None or left > min(needed, SESSION_SECONDS / 2)

    def granted(self, leases: tuple[Lease, ...], token: str | UnsetType = UNSET) -> Leases:
        """The answer that hands out `leases`; it says where their images go."""
        if self.services.images.quarantine is not None:
            leases = tuple(msgspec.structs.replace(lease, uploads="bucket") for lease in leases)
        return Leases(leases=leases, token=token)

    async def beat(self, held: Held) -> Beat:
        """What every post on a lease is answered with."""
        return Beat(
            lease_seconds=self.services.settings.lease_seconds,
            cancel=held.cancel,
            previews=self.services.hub.watched(held.task.id, held.task.user),
            token=await self._new_token(),
        )

    async def _new_token(self) -> str | UnsetType:
        """A fresh session token once half the life of the present one is over."""
        expires_at = self.principal.expires_at
        if expires_at is None or expires_at - self.services.database.now() > SESSION_SECONDS / 2:
            return UNSET
        return await self.services.database.run(tokens.open_session, self.worker, self.principal)


class _Claiming(WorkerHandler):
    """Handlers whose answer may carry a task, which must not be handed to nobody."""

    def __init__(self, services: Services, request: HTTPServerRequest, holes: dict[str, str]) -> None:
        super().__init__(services, request, holes)
        self.ticket = Ticket()

    def hang_up(self) -> None:
        """The worker is gone."""
        self.ticket.hang_up()


class WorkerClaims(_Claiming):
    """`/worker/claims`."""

    async def post(self) -> None:
        """Claim, and wait for a task if there is none."""
        request = self.read(ClaimRequest)
        if not self.session_outlasts(request):
            raise Unauthorized("This session ends too soon to take a task.", hint="Open a new one.")
        token = await self._new_token()  # before, for nothing may keep a claimed task from its worker
        leases = await self.services.dispatcher.claim(
            self.claimer(request), request.wait_seconds, self.ticket
        )
        if leases or token:
            self.answer(self.granted(leases, token))
        else:
            self.status = 204


class LeaseEvents(WorkerHandler):
    """`/worker/leases/{lease}/events`."""

    max_body = REPORT_BYTES

    async def post(self, lease: str) -> None:
        """What happened; also the heartbeat."""
        events = self.services.chatter.trim(lease, self.read(Reports).events)
        held = self._told_from_memory(lease, events)
        if held is None:
            held = await self.services.database.run_short(
                report.report, lease, self.worker, events, self.services.settings.lease_seconds
            )
            self.services.holds.keep(held, self.worker)
        self.answer(await self.beat(held))

    def _told_from_memory(self, lease: str, events: tuple[Report, ...]) -> Held | None:
        """Progress and previews of a lease that was looked up a moment ago need no look."""
        held = self.services.holds.get(lease, self.worker) if report.is_live(events) else None
        if held is not None:
            self.services.tell(report.entries(held, events, self.services.database.now()))
        return held


class LeaseComplete(_Claiming):
    """`/worker/leases/{lease}/complete`."""

    async def post(self, lease: str) -> None:
        """The task is done; the next one is claimed in the same transaction."""
        completion = self.read(Completion)
        wanted = completion.claim
        claimer = self.claimer(wanted) if wanted and self.session_outlasts(wanted) else None

        def complete_and_claim(store: Store) -> tuple[Lease, ...]:
            finish.complete(store, lease, self.worker, completion)
            return claim(store, claimer) if claimer else ()

        leases = await self.services.dispatcher.grant(complete_and_claim, self.worker, self.ticket)
        self.answer(self.granted(leases))


class LeaseFail(WorkerHandler):
    """`/worker/leases/{lease}/fail`."""

    async def post(self, lease: str) -> None:
        """The task could not be done."""
        failure = self.read(Failure)
        await self.services.database.run(finish.fail, lease, self.worker, failure)
        self.status = 204


class LeaseRelease(WorkerHandler):
    """`/worker/leases/{lease}/release`."""

    async def post(self, lease: str) -> None:
        """The worker gives the task back."""
        reason = self.read(Release).reason
        await self.services.database.run(finish.release, lease, self.worker, reason)
        self.status = 204


def _register(store: Store, request: SessionRequest, opener: Principal) -> tuple[str, str]:
    worker = workers.register(store, request, opener.user)
    machines.serve(store, opener.token, worker)
    return worker, tokens.open_session(store, worker, opener)
