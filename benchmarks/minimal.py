"""The least that a Tornado server can do over the queue: `python -m benchmarks.minimal FILE SYNCHRONOUS`.

It calls the functions of the queue, on libuv's event loop, and does nothing else: no token, no check of what
came, no events to Redis, no way to a thread and back, not even Tornado's handlers. It prints its port. What
it reaches no server on Tornado can surpass that stores the same.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import msgspec
import uvloop
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.netutil import bind_sockets

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


class Server:
    """A function of a request, which Tornado's HTTP server takes as well as an application."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._complete = re.compile(paths.LEASE_COMPLETE.regex)
        self._waiting: set[asyncio.Task[None]] = set()

    def __call__(self, request: HTTPServerRequest) -> None:
        """Finish + next claim in one transaction; submit, the same task for everybody; or claim."""
        if found := self._complete.fullmatch(request.path):
            _answer(request, self._queue.database.call(self._queue.complete, found["lease"]))
        elif request.path == paths.TASKS():
            self._queue.database.call(submit.submit, _SUBMISSION, 0.0)
            self._queue.news.set()
            _answer(request, ())
        else:
            waiting = asyncio.create_task(self._claim(request))
            self._waiting.add(waiting)
            waiting.add_done_callback(self._waiting.discard)

    async def _claim(self, request: HTTPServerRequest) -> None:
        """Until there is a task."""
        while not (leases := self._queue.database.call(claim, self._queue.claimer)):
            self._queue.news.clear()
            await self._queue.news.wait()
        _answer(request, leases)


def _answer(request: HTTPServerRequest, leases: tuple[Lease, ...]) -> None:
    body = msgspec.json.encode(Leases(leases=leases))
    headers = HTTPHeaders({"Content-Type": "application/json", "Content-Length": str(len(body))})
    assert request.connection is not None
    request.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers, body)
    request.connection.finish()


async def main() -> None:
    """Serve until killed."""
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(Server(Queue(Path(sys.argv[1]), sys.argv[2]))).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
