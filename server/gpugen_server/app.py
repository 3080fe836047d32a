"""The composition root: where database, queue, bus, images and routes meet."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.models import Registry, parse_registry
from gpugen_server.autoscale.cost import Costs
from gpugen_server.database import Database
from gpugen_server.events.bus import Bus
from gpugen_server.events.entry import Entry
from gpugen_server.events.hub import Hub
from gpugen_server.housekeeping import Housekeeping
from gpugen_server.images.decoders import Decoders
from gpugen_server.images.storage import Storage
from gpugen_server.images.stores import open_storage
from gpugen_server.outlook import Outlook
from gpugen_server.queue.limits import Limits
from gpugen_server.settings import Settings
from gpugen_server.tokens.gate import Gate
from gpugen_server.tokens.throttle import Throttle
from gpugen_server.web.application import make_site, no_forms
from gpugen_server.web.dispatch import Dispatcher
from gpugen_server.web.exchange import LARGEST_JSON
from gpugen_server.web.holds import Holds
from gpugen_server.web.services import Services

STOP_SECONDS = 5.0  # for requests that are being answered when the server stops
IMAGE_THREADS = 2
STORAGE_THREADS = 8


class Server:
    """A gpugen server inside the running event loop.

    Args:
        settings: where to listen, where to keep things, the rhythm of leases.
        redis: a URL, or keyword arguments of `redis.asyncio.Redis`.
        registry: the models; None: those shipped.
        storage: where images go; None: where the settings say.
    """

    def __init__(
        self,
        settings: Settings,
        redis: str | dict[str, Any],
        registry: Registry | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.settings = settings
        self.database = Database(settings.database_url, settings.synchronous, self._on_commit)
        self.port = 0
        self._on_queued: list[Callable[[], None]] = []
        self._dispatcher = Dispatcher(self.database, settings.heartbeat_seconds)
        self._on_queued.append(self._dispatcher.wake)
        holds = Holds(settings.lease_seconds)
        self._hub = Hub(self._queued, holds.forget)
        self._bus = Bus(redis, self._hub)
        self._services = Services(
            settings=settings,
            registry=registry or parse_registry({}),
            database=self.database,
            gate=Gate(self.database),
            hub=self._hub,
            dispatcher=self._dispatcher,
            images=storage or open_storage(settings),
            tell=self._on_commit,
            holds=holds,
            costs=Costs(self.database, settings.max_cost_per_day),
            decoders=Decoders(),
            submits=Throttle(settings.submits_per_minute),
            limits=Limits(settings.max_tasks_per_user, settings.max_tasks),
            pool=ThreadPoolExecutor(IMAGE_THREADS, thread_name_prefix="gpugen-images"),
            storage_pool=ThreadPoolExecutor(STORAGE_THREADS, thread_name_prefix="gpugen-storage"),
        )
        self._http: HTTPServer | None = None
        self._housekeeping = Housekeeping(self.database, self._services, settings)
        self._outlook = Outlook(self.database, self._hub, self._services.live_after)

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"{self.settings.scheme}://{host}:{self.port}"

    @property
    def last_use(self) -> float:
        """The moment (time.monotonic) of the last request that carried a good token."""
        return self._services.last_request

    @property
    def watchers(self) -> int:
        """How many websockets are open."""
        return len(self._hub)

    def refuse_tasks(self, refuse: bool) -> None:
        """Answer every submit and retry with 503, or no longer; those in the database's line are in time."""
        self._services.refusing_tasks = refuse

    def on_queued(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever a task became ready for a worker."""
        self._on_queued.append(callback)

    def describe_autoscaler(self, text: Callable[[], str]) -> None:
        """Let `GET /workers` show what `text()` says."""
        self._services.autoscaler_text = text

    async def start(self) -> None:
        """Bring the database up to date and accept requests.

        Raises:
            OSError: the address cannot be listened on.
            GpugenError: a part cannot start; the sentence says why.
        """
        no_forms()
        tls = _tls(self.settings)
        sockets = _bind(self.settings)
        self.port = sockets[0].getsockname()[1]
        try:
            await self.database.start()
            await self._services.at_storage(self._services.images.prepare)
            await self._housekeeping.start()
        except BaseException:
            for listener in sockets:
                listener.close()
            raise
        await self._bus.start()
        await self._outlook.start()
        self._http = HTTPServer(
            make_site(self._services),
            max_body_size=LARGEST_JSON,
            xheaders=bool(self.settings.proxies),
            trusted_downstream=self.settings.trusted_proxies,
            ssl_options=tls,
        )
        self._http.conn_params.header_timeout = None  # the site has patience of its own
        self._http.add_sockets(sockets)

    async def stop(self) -> None:
        """Take no more requests, answer those that came, say good-bye to websockets, close everything."""
        if self._http is not None:
            self._http.stop()
            self._dispatcher.close()
            for watcher in list(self._services.sockets):
                watcher.close(1001, "the server stops")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._services.idle()
            await self._http.close_all_connections()
        await self._outlook.stop()
        await self._housekeeping.stop()
        await self._bus.stop()
        await self.database.close()
        self._services.pool.shutdown()
        self._services.storage_pool.shutdown(
            wait=False
        )  # a bucket that does not answer must not keep it here
        self._services.decoders.close()

    def _on_commit(self, entries: list[Entry]) -> None:
        for entry in entries:
            if entry.seq:
                self._services.holds.forget(entry.task)
        self._bus.publish(entries)
        if any(entry.state == "queued" for entry in entries):
            self._queued()  # those who wait here need not wait for Redis

    def _queued(self) -> None:
        for callback in self._on_queued:
            callback()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"The certificate {settings.tls_cert} with the key {settings.tls_key} cannot be used: {error}.",
            hint="Both must be PEM files, and belong together.",
        ) from None
    return context


def _bind(settings: Settings) -> list[socket.socket]:
    """A private server is found by its runtime file: when its usual port is taken, any other will do."""
    try:
        return bind_sockets(settings.port, settings.host)
    except OSError as error:
        if not settings.private or error.errno != errno.EADDRINUSE:
            raise
        return bind_sockets(0, settings.host)
