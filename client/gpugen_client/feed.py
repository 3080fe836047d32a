"""The thread behind `Updates`: reads the websocket, and asks over HTTP for what the websocket does not bring.

The websocket only makes it fast. Every numbered event can also be asked for, and that is what happens while
the websocket is down, when a number is missing, or when a task was silent for long: a watch converges on the
truth as long as plain requests get through.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Iterator

import msgspec
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from gpugen_client.catch_up import CatchUp
from gpugen_client.connection import Connection
from gpugen_client.outage import Outage
from gpugen_client.watch import Watch
from gpugen_protocol import __version__, clock, paths, wire
from gpugen_protocol.errors import (
    Forbidden,
    GpugenError,
    LocalServerFailed,
    NotFound,
    ServerUnreachable,
    Unauthorized,
    VersionMismatch,
    describe,
)
from gpugen_protocol.events import Event, NoticeEvent, SnapshotEvent, SocketCommand, Subscription

_FINAL = (Unauthorized, Forbidden, NotFound)  # answers that asking again does not change
_GONE = (ServerUnreachable, LocalServerFailed, VersionMismatch)  # no answer at all
_MAX_MESSAGE = 4_000_000  # bytes; the largest message, a snapshot with 16 images, is far below
_OPENING = 5.0  # seconds the websocket may take to open
_TICK = 0.5  # seconds after which the reader looks whether there is something else to do
_POLL = 1.0  # seconds between two polls while the websocket is down
_FIRST_WORD = 1.5  # seconds a subscription may take to bring something
_SILENCE = 15.0  # seconds without a word about a task, after which it is asked for
_STEADY = 5.0  # seconds a websocket must have lived for its end to count as a first failure
_SLOWEST = 15.0  # seconds between two attempts to open it, at most
_LINGER = 30.0  # seconds it stays open without a watch: the next one comes soon, or not at all

_quiet = logging.getLogger("gpugen.websocket")  # a thread must not write into somebody's cell or terminal
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Feed(threading.Thread):
    """Feeds watches until it is stopped or has had none for a while; then it takes no more."""

    def __init__(self, connection: Connection, patience: float) -> None:
        super().__init__(name="gpugen-updates", daemon=True)
        self._connection = connection
        self._outage = Outage(patience)
        self._catch_up = CatchUp(connection)
        self._watches: list[Watch] = []
        self._socket: ClientConnection | None = None
        self._over = False
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._busy_at = time.monotonic()

    def add(self, watch: Watch) -> bool:
        """Feed `watch` from now on; False if this feed is over."""
        with self._lock:
            if self._over:
                return False
            watch.on_close = self._remove
            self._watches.append(watch)
            self._busy_at = time.monotonic()
            socket = self._socket
        if socket is not None:
            _subscribe(socket, watch)
        return True

    def stop(self) -> None:
        """End all watches and the thread."""
        with self._lock:
            self._over = True
            socket = self._socket
        self._stopped.set()
        self._end_all(GpugenError("The connection was closed while a task was followed; the task goes on."))
        if socket is not None:
            socket.close()
        if self is not threading.current_thread() and self.ident is not None:
            self.join(timeout=2.0)

    def run(self) -> None:
        """What the thread does."""
        try:
            self._run()
        except Exception as error:  # the last resort: whoever waits must hear of it
            with self._lock:
                self._over = True
            self._end_all(GpugenError(f"Following tasks broke off: {describe(error)}."))

    def _remove(self, *gone: Watch) -> None:
        """Feed `gone` no longer; a task that nobody watches any more is unsubscribed."""
        with self._lock:
            unwatched = {watch.task for watch in self._watches if watch in gone}
            self._watches = [watch for watch in self._watches if watch not in gone]
            unwatched -= {watch.task for watch in self._watches}
            socket = self._socket
        if socket is not None:
            for task in unwatched:
                _say(socket, SocketCommand(unsubscribe=Subscription(task=task)))

    def _run(self) -> None:
        failures = 0
        while self._wanted():
            opened_at = time.monotonic()
            try:
                self._follow()
            except (OSError, ImportError, WebSocketException, *_GONE):  # ImportError: a SOCKS proxy
                failures = 1 if time.monotonic() - opened_at > _STEADY + _OPENING else failures + 1
                self._poll_for(_delay(failures))

    def _wanted(self) -> bool:
        self._remove(*(watch for watch in self._watches if watch.ended))
        with self._lock:
            now = time.monotonic()
            if self._watches:
                self._busy_at = now
            lingers = self._socket is not None and now - self._busy_at < _LINGER
            self._over = self._over or not (self._watches or lingers)
            return not self._over

    # ---- with a websocket ----

    def _follow(self) -> None:
        with self._open() as socket:
            try:
                with self._lock:
                    self._socket = socket
                for watch in self._current():
                    _subscribe(socket, watch)
                while self._wanted():
                    self._read(socket)
                    self._ask_about_the_silent()
            finally:
                with self._lock:
                    self._socket = None

    def _open(self) -> ClientConnection:
        address = self._connection.url.replace("http", "ws", 1) + paths.EVENTS()
        return connect(
            address,
            additional_headers={"Authorization": f"Bearer {self._connection.token}"},
            user_agent_header=f"gpugen/{__version__}",
            proxy=None if self._connection.loopback else True,
            open_timeout=_OPENING,
            close_timeout=1.0,
            max_size=_MAX_MESSAGE,
            logger=_quiet,
        )

    def _read(self, socket: ClientConnection) -> None:
        try:
            message = socket.recv(timeout=_TICK)
        except TimeoutError:
            return
        self._hear()
        with contextlib.suppress(msgspec.DecodeError):  # an event that only a newer client knows
            self._deliver(_event(message))

    def _deliver(self, event: Event) -> None:
        if isinstance(event, NoticeEvent):
            self._tell(event)
            return
        for watch in self._current(event.task):
            took = watch.offer(event)
            if not took or (isinstance(event, SnapshotEvent) and event.data.finished):
                self._ask(watch)

    def _ask_about_the_silent(self) -> None:
        now = time.monotonic()
        for watch in self._current():
            if now - watch.heard_at > (_SILENCE if watch.heard else _FIRST_WORD):
                self._ask(watch)

    # ---- without ----

    def _poll_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._wanted():
            try:
                for watch in self._current():
                    self._ask(watch)
            except _GONE as error:
                self._lose(error)
            left = until - time.monotonic()
            if left <= 0 or self._stopped.wait(min(_POLL, left)):
                return

    def _ask(self, watch: Watch) -> None:
        """Bring `watch` up to date over HTTP; a server that cannot be reached is the caller's business."""
        try:
            self._catch_up(watch)
        except _GONE:
            raise
        except _FINAL as error:
            watch.end(error)
        except GpugenError:
            watch.touch()  # the server has a bad moment: ask again later
        self._hear()

    def _lose(self, error: GpugenError) -> None:
        news = not self._outage.lasts
        self._outage.fail()
        if self._outage.hopeless:
            self._end_all(error)
        elif news:
            self._tell(_notice("connection_lost", f"{error.message} Trying again."))

    def _hear(self) -> None:
        news = self._outage.lasts
        self._outage.end()
        if news:
            self._tell(_notice("connection_restored", "The server answers again."))

    # ---- the watches ----

    def _current(self, task: str | None = None) -> Iterator[Watch]:
        with self._lock:
            watches = list(self._watches)
        return (watch for watch in watches if not watch.ended and task in {None, watch.task})

    def _tell(self, notice: NoticeEvent) -> None:
        for watch in self._current():
            watch.offer(notice)

    def _end_all(self, error: GpugenError) -> None:
        for watch in self._current():
            watch.end(error)


def _event(message: str | bytes) -> Event:
    event: Event = msgspec.json.decode(message, type=Event)
    return event


def _notice(code: str, message: str) -> NoticeEvent:
    return NoticeEvent(at=clock.rfc3339(time.time()), code=code, message=message)


def _subscribe(socket: ClientConnection, watch: Watch) -> None:
    _say(socket, SocketCommand(subscribe=Subscription(task=watch.task, after=watch.seq)))


def _say(socket: ClientConnection, command: SocketCommand) -> None:
    """A websocket that is closing is the reader's business: it will notice by itself."""
    with contextlib.suppress(ConnectionClosed, OSError):
        socket.send(wire.encode(command).decode())


def _delay(failures: int) -> float:
    """Seconds until the next attempt: doubling, and jittered so that many clients do not come at once."""
    longest = min(_SLOWEST, 0.2 * 2.0 ** min(failures - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
