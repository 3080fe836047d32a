"""A server for one worker that can be told to misbehave, and that holds the worker to the rules."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from gpugen_protocol import errors, wire
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.worker import (
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
    WorkerTask,
)

REGISTRATION = "the-registration-token"
REQUEST = {
    "prompt": "a cat",
    "model": "emoji",
    "width": 64,
    "height": 64,
    "steps": 4,
    "guidance": 3.0,
    "seed": 7,
    "n": 1,
    "scheduler": "dpm++",
}


@dataclass
class Attempt:
    """What the worker did with one lease."""

    lease: Lease
    reports: list[Any] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)
    images: dict[int, bytes] = field(default_factory=dict)
    ended: Completion | Failure | Release | None = None
    ended_at: float = 0.0

    def phases(self) -> list[str]:
        return [report.phase for report in self.reports if hasattr(report, "phase")]


class ScriptedServer:
    """`submit` queues a task; `attempts` shows what became of it; the public fields are the misbehaviour."""

    def __init__(self, lease_seconds: float = 5.0, heartbeat_seconds: float = 0.5, port: int = 0) -> None:
        self.lease_seconds = lease_seconds
        self.heartbeat_seconds = heartbeat_seconds
        self.idle_seconds: float | None = None
        self.refuse_registration = False
        self.cancel = False
        self.deaf_to: set[str] = set()  # actions that are answered with 503
        self.full_for: set[str] = set()  # actions that are answered with 507
        self.lost: set[str] = set()  # leases that are not the current one any more
        self.sessions: list[SessionRequest] = []
        self.claims: list[ClaimRequest] = []
        self.attempts: list[Attempt] = []
        self._token = ""
        self._queue: list[WorkerTask] = []
        self._changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"server_state": self})
        self._http = _Http(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._http.hang_up()
        self._thread.join()

    def submit(self, **request: Any) -> str:
        with self._changed:
            task = f"task{len(self._queue) + len(self.attempts)}"
            resolved = msgspec.convert({**REQUEST, **request}, ResolvedRequest)
            self._queue.append(WorkerTask(id=task, request=resolved, attempt=1, max_attempts=3))
            self._changed.notify_all()
        return task

    def forget_sessions(self) -> None:
        self._token = "forgotten"

    def attempt(self, number: int = 0, seconds: float = 20.0) -> Attempt:
        """Attempt `number`, once it has ended."""
        wait_until(lambda: len(self.attempts) > number and self.attempts[number].ended is not None, seconds)
        return self.attempts[number]

    # ---- the routes ----

    def session(self, body: bytes, token: str) -> Any:
        if self.refuse_registration or token != REGISTRATION:
            raise errors.Unauthorized
        self.sessions.append(wire.decode(body, SessionRequest))
        self._token = f"session-{len(self.sessions)}"
        return Session(
            worker_id=f"w{len(self.sessions)}",
            token=self._token,
            expires_in=3600,
            lease_seconds=self.lease_seconds,
            heartbeat_seconds=self.heartbeat_seconds,
            poll_seconds=30,
            idle_seconds=self.idle_seconds,
        )

    def claim(self, request: ClaimRequest, gone: Callable[[], bool] = lambda: False) -> Leases:
        self.claims.append(request)
        deadline = time.monotonic() + request.wait_seconds
        with self._changed:
            while not self._queue and time.monotonic() < deadline and not gone():
                self._changed.wait(timeout=0.02)
            if not self._queue or gone():
                return Leases()
            task = self._queue.pop(0)
            lease = Lease(id=f"lease{len(self.attempts)}", expires_in=self.lease_seconds, task=task)
            self.attempts.append(Attempt(lease))
        return Leases(leases=(lease,))

    def on_lease(self, attempt: Attempt, action: str, body: bytes) -> Any:
        if action in self.deaf_to:
            raise errors.Unavailable
        if action in self.full_for:
            raise errors.StorageFull
        if attempt.ended is not None or attempt.lease.id in self.lost:
            raise errors.LeaseLost
        if action == "events":
            attempt.beats.append(time.monotonic())
            attempt.reports.extend(wire.decode(body, Reports).events)
            return Beat(lease_seconds=self.lease_seconds, cancel=self.cancel)
        if action.startswith("images/"):
            attempt.images[int(action.removeprefix("images/"))] = body
            return None
        return self._end(attempt, action, body)

    def _end(self, attempt: Attempt, action: str, body: bytes) -> Any:
        kind = {"complete": Completion, "fail": Failure, "release": Release}[action]
        ended = wire.decode(body, kind)
        if isinstance(ended, Completion):
            assert len(attempt.images) == attempt.lease.task.request.n, "completed without all images"
        attempt.ended_at = time.monotonic()
        attempt.ended = ended
        return self.claim(ended.claim) if isinstance(ended, Completion) and ended.claim else Leases()


class _Http(ThreadingHTTPServer):
    """Hangs up on everybody when it ends, as a process does."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        self.sockets: list[socket.socket] = []
        super().__init__(*arguments)

    def process_request(self, request: Any, address: Any) -> None:
        self.sockets.append(request)
        super().process_request(request, address)

    def hang_up(self) -> None:
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server_state: ScriptedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            answer = self._route(body)
        except errors.GpugenError as error:
            return self._send(error.status, wire.encode(error.problem()))
        if answer == Leases() and self.path.endswith("claims"):
            return self._send(204, b"")
        return self._send(200, b"" if answer is None else wire.encode(answer))

    do_PUT = do_POST

    def do_GET(self) -> None:
        self._send(200 if self.path == "/healthz" else 404, b"")

    def _route(self, body: bytes) -> Any:
        state = self.server_state
        token = self.headers["Authorization"].removeprefix("Bearer ")
        if self.path.endswith("/sessions"):
            return state.session(body, token)
        if token != state._token:
            raise errors.Unauthorized
        if self.path.endswith("/claims"):
            return state.claim(wire.decode(body, ClaimRequest), self._gone)
        found = re.search(r"/leases/lease(\d+)/(.+)$", self.path)
        assert found is not None, self.path
        return state.on_lease(state.attempts[int(found[1])], found[2], body)

    def _gone(self) -> bool:
        """Whether the worker has hung up."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the worker has hung up
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def wait_until(condition: Any, seconds: float = 10.0) -> None:
    """Wait for `condition`; fails when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
