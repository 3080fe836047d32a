"""A server process, from folder, lock and Redis to the announcement that it serves, and all the way back."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import structlog

from gpugen_protocol import __version__, places, wire
from gpugen_protocol.clock import rfc3339
from gpugen_protocol.errors import Misconfigured
from gpugen_protocol.local import RuntimeFile
from gpugen_server import data_directory, log, private_file, registry
from gpugen_server import settings as settings_module
from gpugen_server.app import Server
from gpugen_server.autoscale.gce import setup as gce
from gpugen_server.autoscale.local import LocalProvider
from gpugen_server.autoscale.plan import Rules
from gpugen_server.autoscale.provider import Provider
from gpugen_server.autoscale.scaler import Autoscaler
from gpugen_server.embedded_redis import EmbeddedRedis
from gpugen_server.idle import until_idle
from gpugen_server.keys import Keys
from gpugen_server.settings import Settings
from gpugen_server.web.services import LIVE_BEATS

try:
    from uvloop import new_event_loop
except ImportError:  # there is none for Windows
    new_event_loop = None  # type: ignore[assignment]

LONGEST_STOP = 9.5  # seconds after a signal until the process ends, come what may

logger = structlog.get_logger(__name__)


def run(flags: Mapping[str, Any], environ: Mapping[str, str], ready_file: Path | None) -> None:
    """Serve until a signal comes, or a private server is idle; then this process ends, with code 0.

    Raises:
        GpugenError: it cannot serve; the sentence says why and what to do.
    """
    settings = settings_module.read(_private(flags) if flags.get("private") else flags, environ)
    if settings.autoscaler == "gce":
        gce.check(settings)
        gce.check_models(settings, registry.read(environ).models)
    os.umask(0o077)
    log.configure(settings.log_format)
    if settings.private:
        log.only_troubles("gpugen_server.access")  # its file can only be put aside at a start
    data_directory.prepare(settings)
    with data_directory.held(settings), contextlib.suppress(KeyboardInterrupt):
        _run(serve(settings, environ, ready_file))
    _leave()


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """libuv's event loop, where there is one, takes an eighth off what a request costs."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serving)


def _leave() -> NoReturn:
    """End the process, now that everything is closed.

    Python's own way out goes through all of its memory once more. That is long on a busy machine, and then no
    thread runs any more that could cut it short, as LONGEST_STOP wants.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _private(flags: Mapping[str, Any]) -> dict[str, Any]:
    """What does not depend on environment and config file: they describe the server for everybody."""
    return {**flags, "host": "127.0.0.1", "port": flags.get("port") or 0, "autoscaler": "local"}


async def serve(settings: Settings, environ: Mapping[str, str], ready_file: Path | None) -> None:
    """As `run`, in a data directory that is prepared and held."""
    stop = _stop_signal()
    keys = Keys.renew(settings)
    _check_host(settings, keys)
    async with AsyncExitStack() as stack:
        redis = settings.redis_url or await stack.enter_async_context(
            EmbeddedRedis(settings.data, settings.logs)
        )
        server = await stack.enter_async_context(_listening(Server(settings, redis, registry.read(environ))))
        if settings.autoscaler != "none":
            await stack.enter_async_context(_scaling(settings, server, environ))
        _spare_collections()
        _announce(settings, server, keys, ready_file, stack)
        await _until_the_end(settings, server, stop)


def _spare_collections() -> None:
    """A full collection holds up everybody, 130 ms with a thousand watchers: make it shorter, and seldom.

    What is loaded by now stays, so nobody needs to go through it again.
    """
    gc.freeze()
    gc.set_threshold(2_000, 20, 50)


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM and SIGINT; from then on the process has LONGEST_STOP seconds."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_signal(number: int, _frame: object) -> None:
        if not stop.is_set():
            deadline = threading.Timer(LONGEST_STOP, os._exit, [1])
            deadline.daemon = True
            deadline.start()
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def _check_host(settings: Settings, keys: Keys) -> None:
    if _is_loopback(settings.host) or keys.exist:
        return
    raise Misconfigured(
        f"The server would listen on {settings.host} for other machines, but nobody has a token for it.",
        hint="Make one first: gpugen token create --scope user",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@asynccontextmanager
async def _listening(server: Server) -> AsyncIterator[Server]:
    try:
        await server.start()
    except OSError as error:
        await server.stop()
        raise _cannot_listen(server.settings, error) from None
    try:
        yield server
    finally:
        await server.stop()


def _cannot_listen(settings: Settings, error: OSError) -> Misconfigured:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return Misconfigured(
            f"Something else listens on {where} already.", hint="Choose another --port; 0 takes a free one."
        )
    if error.errno == errno.EACCES:
        return Misconfigured(f"This user may not listen on {where}.", hint="Choose a --port above 1023.")
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return Misconfigured(f"{settings.host} is not an address of this machine.", hint="Check --host.")
    return Misconfigured(f"The server cannot listen on {where}: {error.strerror or error}.")


@asynccontextmanager
async def _scaling(
    settings: Settings, server: Server, environ: Mapping[str, str]
) -> AsyncIterator[Autoscaler]:
    def wake() -> None:
        scaler.wake()

    scaler = Autoscaler(
        server.database,
        _provider(settings, server, environ, wake),
        _rules(settings),
        live_seconds=LIVE_BEATS * settings.heartbeat_seconds,
        max_cost=settings.max_cost_per_day,
    )
    server.on_queued(scaler.wake)
    server.describe_autoscaler(scaler.describe)
    await scaler.start()
    try:
        yield scaler
    finally:
        await scaler.stop()


def _provider(
    settings: Settings, server: Server, environ: Mapping[str, str], wake: Callable[[], None]
) -> Provider:
    if settings.autoscaler == "gce":
        return gce.make(settings, server.database.now)
    return LocalProvider(settings, url=_own_url(settings, server), environ=environ, on_end=wake)


def _rules(settings: Settings) -> Rules:
    """A machine that is of no use costs money and minutes: after it, the pauses are longer ones."""
    silent = max(180.0, 2 * LIVE_BEATS * settings.heartbeat_seconds)
    rules = Rules(max_workers=settings.max_workers, idle=settings.idle_exit, silent=silent)
    if settings.autoscaler == "gce":
        return msgspec.structs.replace(rules, boot=settings.gce_boot, pause=60.0, longest_pause=3600.0)
    return rules


def _own_url(settings: Settings, server: Server) -> str:
    """How a process on this machine calls the server, whatever it listens on."""
    if settings.tls_cert and settings.public_url:  # the name that the certificate has
        return settings.public_url
    loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    host = loopback.get(settings.host, settings.host)
    return f"{settings.scheme}://{f'[{host}]' if ':' in host else host}:{server.port}"


def _announce(
    settings: Settings, server: Server, keys: Keys, ready_file: Path | None, stack: AsyncExitStack
) -> None:
    """Requests are accepted: say so, until the end."""
    url = _own_url(settings, server)
    logger.info("serving", url=url, version=__version__, data=settings.data_dir)
    if settings.private:
        runtime = RuntimeFile(
            url=url,
            pid=os.getpid(),
            token=keys.user,
            version=__version__,
            prefix=sys.prefix,
            started_at=rfc3339(time.time()),
        )
        _publish(places.token_file(settings.data), keys.user.encode(), stack)
        _publish(places.runtime_file(settings.data), wire.encode(runtime), stack)
    if ready_file is not None:
        _publish(ready_file, wire.encode({"url": url, "pid": os.getpid()}), stack)


def _publish(path: Path, content: bytes, stack: AsyncExitStack) -> None:
    try:
        private_file.write(path, content)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written: {error.strerror}.") from None
    stack.callback(path.unlink, missing_ok=True)


async def _until_the_end(settings: Settings, server: Server, stop: asyncio.Event) -> None:
    ends = [asyncio.create_task(_wait(stop), name="told to stop")]
    if settings.private:
        idle = until_idle(server, settings.server_idle_exit)
        ends.append(asyncio.create_task(idle, name="idle"))
    done, pending = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    logger.info("stopping", why=done.pop().get_name())


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
