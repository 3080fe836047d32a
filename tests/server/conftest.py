"""The queue on a real database, without any server around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.server.listener import Listener

from gpugen_protocol import wire
from gpugen_protocol.models import parse_registry
from gpugen_protocol.request import TaskRequest
from gpugen_protocol.task import Task
from gpugen_protocol.worker import Completion, Failure, Lease, SessionRequest
from gpugen_server.database import Database
from gpugen_server.images import accept
from gpugen_server.images.accept import Arrival
from gpugen_server.images.codec import Encoded
from gpugen_server.queue import cancel, claim, finish, ids, lease, search, submit, workers
from gpugen_server.queue.claim import Claimer
from gpugen_server.queue.limits import Limits
from gpugen_server.queue.submit import Submission

REGISTRY = parse_registry({})
LEASE_SECONDS = 30.0
NO_LIMITS = Limits()


class Queue:
    """What users and workers do, in one line each; everything goes through the database as in the server."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.call = database.call
        self.worker = self.new_worker()

    def new_worker(self, *models: str, user: str = "workers", **fields: Any) -> str:
        request = SessionRequest(**{"name": ids.ulid(), "models": models, "version": "0.1.0", **fields})
        return self.call(workers.register, request, user)

    def try_submit(
        self,
        user: str = "ann",
        key: str | None = None,
        limits: Limits = NO_LIMITS,
        memory: int = 0,
        **fields: Any,
    ) -> tuple[str, bool]:
        asked = TaskRequest(**{"prompt": "a cat", **fields})
        resolved = REGISTRY.resolve(asked, 1)
        submission = Submission(
            user=user, asked=asked, resolved=resolved, max_attempts=3, key=key, memory=memory
        )
        made = self.call(submit.submit, submission, 0.0, limits)
        return made.task, made.new

    def submit(self, **fields: Any) -> str:
        return self.try_submit(**fields)[0]

    def claim(
        self, worker: str = "", models: tuple[str, ...] = (), loaded: tuple[str, ...] = ()
    ) -> Lease | None:
        claimer = Claimer(
            worker=worker or self.worker, models=models, count=1, lease_seconds=LEASE_SECONDS, loaded=loaded
        )
        leases = self.call(claim.claim, claimer)
        return wire.decode(wire.encode(leases[0]), Lease) if leases else None  # as its worker reads it

    def submit_and_claim(self, **fields: Any) -> Lease:
        self.submit(**fields)
        lease = self.claim()
        assert lease is not None
        return lease

    def accept(self, lease: str, index: int = 0, source: str = "s", file: str = "f") -> list[str]:
        arrival = Arrival(lease, self.worker, index, Encoded(b"png", "sha", source), file)
        return self.call(accept.accept, arrival, LEASE_SECONDS)[1]

    def complete(self, lease: str, worker: str = "") -> None:
        self.call(finish.complete, lease, worker or self.worker, Completion())

    def fail(self, lease: str, code: Any = "error", retryable: bool = False) -> None:
        self.call(finish.fail, lease, self.worker, Failure(code=code, message="No.", retryable=retryable))

    def release(self, lease: str) -> None:
        self.call(finish.release, lease, self.worker, "preempted")

    def cancel(self, task: str) -> None:
        self.call(cancel.cancel, task, None)

    def hold(self, held: str, worker: str = "") -> lease.Held:
        return self.call(lease.hold, held, worker or self.worker)

    def expire(self, lease: str) -> None:
        """As if its worker had been silent for longer than the lease."""
        self.call(lambda store: store.change("UPDATE tasks SET lease_until = 1 WHERE lease = ?", lease))

    def get(self, task: str) -> Task:
        return self.call(search.get, task, None, 0.0)

    def state(self, task: str) -> str:
        return self.get(task).state

    def events(self, task: str) -> list[dict[str, Any]]:
        found = self.call(search.events, task, None, 0, 1000)[1]
        assert [seq for seq, _ in found] == list(range(1, len(found) + 1)), "the numbers have no holes"
        return [json.loads(body) for _, body in found]

    def states(self, task: str) -> list[str]:
        """The states that were told, in order."""
        return [event["state"] for event in self.events(task) if event["type"] == "state"]


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where the database is: every test that uses one runs on both kinds."""
    if request.param == "sqlite":
        return tmp_path / "gpugen.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def make_database(where: Path | str) -> Iterator[Callable[..., Database]]:
    """`make_database(**arguments)`: an open database at the same place."""
    made: list[Database] = []

    def make(**arguments: Any) -> Database:
        made.append(Database(where, "NORMAL", **arguments))
        made[-1].migrate()
        return made[-1]

    yield make
    for database in made:
        database.disconnect()


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    return make_database()


@pytest.fixture
def make_queue(make_database: Callable[..., Database]) -> Callable[[], Queue]:
    """`make_queue()`: the queue on another connection to the same place."""
    return lambda: Queue(make_database())


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """`listen(server, "?task=ID", token=None)`: a websocket that collects what arrives."""
    made: list[Listener] = []

    def listen(server: Any, query: str = "", token: str | None = None, **headers: str) -> Listener:
        made.append(Listener(server.url, token or server.user_token, query, **headers))
        return made[-1]

    yield listen
    for listener in made:
        listener.close()
