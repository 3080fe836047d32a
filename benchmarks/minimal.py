"""The least that a Tornado server can do over the queue: `python -m benchmarks.minimal FILE SYNCHRONOUS`.

Its handlers call the functions of the queue, on the event loop, and do nothing else: no token, no check of
what came, no events to Redis, no way to a thread and back. It prints its port. What it reaches no handler in
Python can surpass that stores the same.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from benchmarks import backlog
from gpugen_protocol import paths
from gpugen_protocol.worker import Completion, Lease, Leases, SessionRequest
from gpugen_server.database import Database, Store
from gpugen_server.queue import finish, submit, workers
from gpugen_server.queue.claim import Claimer, claim

_DONE = Completion(loading_seconds=0.0, drawing_seconds=0.1)
_SUBMISSION = backlog.submission()


class Queue:
    """The queue in a file, with one worker."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self.database = Database(path, synchronous)
        self.database.migrate()
        session = SessionRequest(name="bench", models=("emoji",), version="0")
        worker = self.database.call(workers.register, session, "workers")
        self.claimer = Claimer(worker=worker, models=("emoji",), count=1, lease_seconds=30.0)
        self.news = asyncio.Event()

    def complete(self, store: Store, lease: str) -> tuple[Lease, ...]:
        """End a task and claim the next."""
        finish.complete(store, lease, self.claimer.worker, _DONE)
        return claim(store, self.claimer)


class Handler(RequestHandler):
    """What the three share."""

    def initialize(self, queue: Queue) -> None:
        """Tornado's constructor for our own arguments."""
        self.queue = queue

    def answer(self, leases: tuple[Lease, ...]) -> None:
        """As the server does."""
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(Leases(leases=leases)))


class Tasks(Handler):
    """Submit."""

    def post(self) -> None:
        """The same task for everybody."""
        self.queue.database.call(submit.submit, _SUBMISSION, 0.0)
        self.queue.news.set()
        self.answer(())


class Claims(Handler):
    """The first claim, and those that wait."""

    async def post(self) -> None:
        """Until there is a task."""
        while not (leases := self.queue.database.call(claim, self.queue.claimer)):
            self.queue.news.clear()
            await self.queue.news.wait()
        self.answer(leases)


class Complete(Handler):
    """Finish + next claim."""

    def post(self, lease: str) -> None:
        """In one transaction."""
        self.answer(self.queue.database.call(self.queue.complete, lease))


async def main() -> None:
    """Serve until killed."""
    shared = {"queue": Queue(Path(sys.argv[1]), sys.argv[2])}
    routes = [
        (paths.TASKS.regex, Tasks, shared),
        (paths.WORKER_CLAIMS.regex, Claims, shared),
        (paths.LEASE_COMPLETE.regex, Complete, shared),
    ]
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application(routes, log_function=lambda _: None)).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
