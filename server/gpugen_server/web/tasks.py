"""The user's side: submit, look up, list, cancel, retry, remove."""

from __future__ import annotations

import re
import secrets

import msgspec
from msgspec import Struct

from gpugen_protocol import paths
from gpugen_protocol.errors import FieldError, Forbidden, InvalidRequest
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import Task
from gpugen_server.database import Store
from gpugen_server.queue import cancel, remove, retry, search, submit
from gpugen_server.queue.limits import Limits
from gpugen_server.queue.retry import Terms
from gpugen_server.queue.search import Filter
from gpugen_server.queue.submit import Submission
from gpugen_server.web.handler import Handler
from gpugen_server.web.queries import EventQuery, TaskQuery

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_SEEDS = 2**32  # random seeds are kept short, so that people can read and type them


class RawEventPage(Struct, frozen=True):
    """`EventPage` whose events are JSON already."""

    events: list[msgspec.Raw]
    last_seq: int


class Tasks(Handler):
    """`/tasks`."""

    role = "user"

    async def post(self) -> None:
        """Submit."""
        request = self.read(TaskRequest)
        self._check_priority(request)
        resolved = self.services.registry.resolve(request, secrets.randbelow(_SEEDS))
        submission = Submission(
            user=self.principal.user,
            asked=request,
            resolved=resolved,
            max_attempts=self.services.settings.max_attempts,
            memory=self.services.registry.get(resolved.model).memory_for(resolved),
            key=_key_of(self),
            refusal=self.services.count_submit(self.principal.user),
        )
        services, live_after = self.services, self.services.live_after()
        services.check_takes_tasks()
        task, new = await services.database.run_short(_submit, submission, live_after, services.limits)
        if not new and submission.refusal is None:
            self.services.submits.give_back(self.principal.user)
        self.headers["Location"] = paths.TASK(id=task.id)
        self.answer(task, 201 if new else 200)

    async def get(self) -> None:
        """List."""
        asked = self.query(TaskQuery)
        wanted = Filter(user=self.principal.owner, **msgspec.structs.asdict(asked))
        self.answer(await self.services.database.run(search.listing, wanted, self.services.live_after()))

    def _check_priority(self, request: TaskRequest) -> None:
        if (request.priority or 0) > 0 and self.principal.scope != "admin":
            raise Forbidden(
                "Only admins may raise a priority above 0.",
                hint="Leave priority out, or lower it to let others go first.",
                errors=(FieldError("priority", "may be at most 0"),),
            )


class OneTask(Handler):
    """`/tasks/{id}`."""

    role = "user"

    async def get(self, id: str) -> None:
        """Look up."""
        live_after = self.services.live_after()
        self.answer(await self.services.database.run(search.get, id, self.principal.owner, live_after))

    async def delete(self, id: str) -> None:
        """Remove a finished task with its images."""
        files = await self.services.database.run(remove.remove, id, self.principal.owner)
        await self.services.drop(files)
        self.status = 204


class TaskCancel(Handler):
    """`/tasks/{id}/cancel`."""

    role = "user"

    async def post(self, id: str) -> None:
        """Ask for the task to stop."""
        services, owner = self.services, self.principal.owner
        await services.database.run(cancel.cancel, id, owner)
        self.answer(await services.database.run(search.get, id, owner, services.live_after()))


class TaskRetry(Handler):
    """`/tasks/{id}/retry`."""

    role = "user"

    async def post(self, id: str) -> None:
        """Queue the same request once more."""
        services, owner = self.services, self.principal.owner
        live_after = services.live_after()
        terms = Terms(services.registry, services.settings.max_attempts, live_after, services.limits)
        refusal = services.count_submit(self.principal.user)
        services.check_takes_tasks()
        new = await services.database.run(retry.retry, id, owner, terms, _key_of(self), refusal)
        self.answer(await services.database.run(search.get, new, owner, live_after), 201)


class TaskEvents(Handler):
    """`/tasks/{id}/events`."""

    role = "user"

    async def get(self, id: str) -> None:
        """The numbered events, for those who poll."""
        asked = self.query(EventQuery)
        found = await self.services.database.run(
            search.events, id, self.principal.owner, asked.after, asked.limit
        )
        self.answer(RawEventPage([msgspec.Raw(body) for _, body in found.events], found.last_seq))


def _submit(store: Store, submission: Submission, live_after: float, limits: Limits) -> tuple[Task, bool]:
    made = submit.submit(store, submission, live_after, limits)
    return made.show(store, submission.user, live_after), made.new


def _key_of(handler: Handler) -> str | None:
    key = handler.request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest("The Idempotency-Key must have 1 to 255 visible ASCII characters.")
    return key
