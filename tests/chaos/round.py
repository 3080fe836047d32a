"""A round: a server, four workers and three users; faults for a while, then calm, drain and a history."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct
from tests.chaos import monkey, parts
from tests.chaos.history import Entry, History, read
from tests.chaos.ledger import Ledger, PostgresLedger, SqliteLedger
from tests.chaos.monkey import Monkey
from tests.chaos.parts import Part, ServerPart
from tests.chaos.proxy import Proxy
from tests.chaos.submitter import Submitter
from tests.chaos.weather import Weather
from tests.postgres import Postgres

from gpugen_server.database import Database

LEASE = 0.8  # seconds; short, so that much happens
SERVER = (sys.executable, "-P", "-m", "gpugen_server")
WORKERS, USERS = 4, 3
LONGEST_STOP = 10.0  # seconds for the server to end when told to
DRAIN = 90.0  # seconds in which everything must have ended once nothing goes wrong any more
_MAKE_TOKEN = "from gpugen_server.commands import token; token()"


class Plan(Struct, frozen=True):
    """What a round depends on.

    Attributes:
        seed: of every dice; the same one draws the same faults.
        seconds: of faults.
        program: what serves.
    """

    seed: int
    seconds: float
    program: tuple[str, ...] = SERVER


class Round:
    """Runs a plan once, in an empty folder; with SQLite, or with a PostgreSQL that may be killed as well."""

    def __init__(self, plan: Plan, folder: Path, postgres: Postgres | None = None) -> None:
        self.history = History(folder / "history.jsonl")
        self._plan = plan
        self._folder = folder
        self._environ = parts.environment(
            folder,
            GPUGEN_LEASE_SECONDS=str(LEASE),
            GPUGEN_HEARTBEAT_SECONDS=str(LEASE / 3),
            GPUGEN_POLL_SECONDS="2",
            GPUGEN_MAX_ATTEMPTS="5",
            GPUGEN_LOG_FORMAT="json",
        )
        self._postgres = postgres
        self._ledger = self._new_database()
        self._weather = Weather(self._dice("weather"), LEASE)
        self._monkeys_stop, self._users_stop = threading.Event(), threading.Event()

    def run(self) -> list[Entry]:
        """Everything that happened."""
        with self.history:
            self._work({scope: self._token(scope) for scope in ("user", "worker")})
            self._ledger.copy_to(self.history)
        return read(self.history.path)

    def _work(self, tokens: dict[str, str]) -> None:
        with ExitStack() as stack:
            server = ServerPart(self._plan.program, self._folder, self._environ, self.history)
            stack.enter_context(server)
            self._ledger.begin()
            proxy = stack.enter_context(Proxy(self._weather, self.history))
            proxy.target = server.port
            workers = [
                stack.enter_context(
                    parts.worker(number, proxy.url, tokens["worker"], self._folder, self.history)
                )
                for number in range(WORKERS)
            ]
            self._rage(server, workers, self._users(proxy.url, tokens["user"]))
            self._drain([server, *workers])
            assert server.stop(LONGEST_STOP) == 0, "the server did not end cleanly when told to"

    def _rage(self, server: ServerPart, workers: list[Part], users: list[Submitter]) -> None:
        """Faults for as long as planned, then none; ends when every submit is acknowledged."""
        monkeys = self._monkeys(server, workers)
        for thread in (*monkeys, *users):
            thread.start()
        time.sleep(self._plan.seconds)
        self._monkeys_stop.set()
        _join(monkeys)
        self._weather.calm = True
        self._users_stop.set()
        _join(users)

    def _drain(self, processes: list[Part]) -> None:
        """Until every task has ended; the verdict sees those that did not in time."""
        deadline = time.monotonic() + DRAIN
        while self._ledger.unfinished() and time.monotonic() < deadline:
            for part in processes:
                part.start()
            time.sleep(0.05)

    def _new_database(self) -> Ledger:
        if self._postgres is None:
            return SqliteLedger(self._folder / "data" / "gpugen.db")
        url = self._environ["GPUGEN_DATABASE_URL"] = self._postgres.make(f"chaos{self._plan.seed}")
        database = Database(url)
        database.migrate()
        database.disconnect()
        return PostgresLedger(url)

    def _monkeys(self, server: ServerPart, workers: list[Part]) -> list[Monkey]:
        stop, history = self._monkeys_stop, self.history
        of_server = monkey.of_server(server, self._dice("server"), LEASE, history, stop)
        if self._postgres is not None:
            monkey.of_database(of_server, self._postgres, self._dice("postgres"), stop)
        return [
            of_server,
            *(monkey.of_worker(part, self._dice(part.name), LEASE, history, stop) for part in workers),
        ]

    def _users(self, url: str, token: str) -> list[Submitter]:
        names = [f"user{number}" for number in range(USERS)]
        return [
            Submitter(name, url, token, self._dice(name), self.history, self._users_stop) for name in names
        ]

    def _dice(self, name: str) -> random.Random:
        return random.Random(f"{self._plan.seed} {name}")

    def _token(self, scope: str) -> str:
        command = [sys.executable, "-P", "-c", _MAKE_TOKEN, "create", "--scope", scope, "--user", f"{scope}s"]
        made = subprocess.run(command, env=self._environ, capture_output=True, text=True, check=True)
        return made.stdout.strip()


def _join(threads: list[Monkey] | list[Submitter]) -> None:
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), f"{thread.name} did not end"
        if thread.error is not None:
            raise thread.error
