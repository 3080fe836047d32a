"""Hubs, databases and buses of two server processes on one real valkey: whatever happens, in any order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from redis import Redis
from tests.server.conftest import Queue

from gpugen_client.watch import Watch
from gpugen_protocol.events import (
    Event,
    GapEvent,
    LogEvent,
    NoticeEvent,
    PhaseEvent,
    ProgressReport,
    SnapshotEvent,
    StateEvent,
)
from gpugen_protocol.state import TERMINAL
from gpugen_server.database import Database, Store
from gpugen_server.events import log
from gpugen_server.events.bus import STREAM, Bus
from gpugen_server.events.entry import Entry
from gpugen_server.events.hub import Hub
from gpugen_server.events.watcher import Watcher
from gpugen_server.queue import cancel, records

LONG = "x" * 900  # so that what a client has not read does not fit into its queue
CLIENTS, PROCESSES = st.integers(0, 1), st.integers(0, 1)


class DeafHub(Hub):
    """Hears nothing while it is `deaf`, as one whose part of the stream was trimmed unread."""

    deaf = False

    def deliver(self, entries: Iterable[Entry]) -> None:
        if not self.deaf:
            super().deliver(entries)


class Process:
    """What one server process has of the event path."""

    def __init__(self, place: Path, redis: dict[str, Any]) -> None:
        self.hub = DeafHub(lambda: None)
        self.bus = Bus(redis, self.hub)
        self.database = Database(place, "NORMAL", on_commit=self.bus.publish)

    async def start(self) -> None:
        await self.database.start()
        await self.bus.start()

    async def stop(self) -> None:
        await self.bus.stop()
        await self.database.close()


class Client:
    """One socket after the other, and what a client makes of it; also the way out of the process (`Sink`)."""

    def __init__(self, task: str, pruned: Callable[[], int], faults: list[str]) -> None:
        self.watch = Watch(task)
        self._faults = faults
        self._pruned = pruned
        self._stutters = self._refused = False
        self._reads = asyncio.Event()
        self._reads.set()
        self._leave: Callable[[], None] = lambda: None
        self._told = 0  # the last number that came over this socket
        self._over = False  # its terminal state came over this socket

    def connect(self, process: Process) -> None:
        self.disconnect()
        watcher = Watcher(process.database, "ann", lambda: 0.0, self)
        self._told, self._over = self.watch.seq, False
        process.hub.join(watcher)
        process.hub.follow(watcher, self.watch.task, self.watch.seq)
        sending = asyncio.create_task(self._send(watcher))

        def leave() -> None:
            sending.cancel()
            process.hub.leave(watcher)

        self._leave = leave

    def disconnect(self) -> None:
        self._leave()
        self._leave = lambda: None

    def pause(self) -> None:
        self._stutters = self._refused = False
        self._reads.clear()

    def stutter(self) -> None:
        """Leave the next message, and begin to read at the very moment that the one after it is there."""
        self.pause()
        self._stutters = True

    def go_on(self) -> None:
        self._stutters = False
        self._reads.set()

    def ready(self) -> bool:
        if self._refused and self._stutters:
            self.go_on()
        self._refused = not self._reads.is_set()
        return not self._refused

    def send(self, body: bytes) -> None:
        event: Event = msgspec.json.decode(body, type=Event)
        if isinstance(event, NoticeEvent):
            return
        self._expect(not self._over, "something follows the terminal state")
        if isinstance(event, GapEvent):
            self._expect(self._told < event.until <= self._pruned(), "a gap where nothing was pruned")
            self._told = event.until
        elif isinstance(event, StateEvent | PhaseEvent | LogEvent):
            self._expect(event.seq == self._told + 1, "a number is missing, twice or late")
            self._told = event.seq
            self._over = isinstance(event, StateEvent) and event.state in TERMINAL
        self._expect(self.watch.offer(event), "the client has to ask for what is missing")

    def _expect(self, holds: bool, what: str) -> None:
        """Not an exception, which the server would survive."""
        if not holds:
            self._faults.append(f"{what} after number {self._told}")

    async def _send(self, watcher: Watcher) -> None:
        while True:
            bodies = await watcher.outbound.batch()
            await self._reads.wait()
            for body in bodies:
                self.send(body)


class Machine(RuleBasedStateMachine):
    """A task, two clients, two processes.

    Args:
        folder: where databases may be made.
        redis: what `Redis` takes.
    """

    made = 0

    def __init__(self, folder: Path, redis: dict[str, Any]) -> None:
        super().__init__()
        Machine.made += 1
        self.place = folder / f"{Machine.made}.db"
        self.redis = Redis(**redis)
        self.loop = asyncio.new_event_loop()
        self.faults: list[str] = []
        self.loop.set_exception_handler(lambda loop, context: self.faults.append(str(context)))
        self.processes = [Process(self.place, redis) for _ in range(2)]
        self.pruned = 0

    def do(self, what: Any = None) -> None:
        """`what`, then a moment for what follows from it."""

        async def step() -> None:
            if what is not None:
                await what
            await asyncio.sleep(0.003)

        self.loop.run_until_complete(step())
        assert self.faults == []

    @initialize()
    def begin(self) -> None:
        for process in self.processes:
            self.do(process.start())
        queue = Queue(self.processes[0].database)
        self.task = queue.submit()
        queue.database.disconnect()
        self.clients = [Client(self.task, lambda: self.pruned, self.faults) for _ in range(2)]
        for n in range(2):
            self.connect(n, n)

    @rule(process=PROCESSES, count=st.sampled_from([1, 1, 2, 80]), unheard=st.sampled_from([(), (0,), (1,)]))
    def publish(self, process: int, count: int, unheard: tuple[int, ...]) -> None:
        def say(store: Store) -> None:
            key = records.find(store, self.task, None).key
            for _ in range(count):
                log.append(store, key, LogEvent, message=LONG)

        for deaf in unheard:
            self.processes[deaf].hub.deaf = True
        self.do(self.processes[process].database.run(say))
        for deaf in unheard:
            self.processes[deaf].hub.deaf = False

    @rule(process=PROCESSES)
    def publish_live(self, process: int) -> None:
        async def say() -> None:
            record = await self.processes[process].database.run(records.find, self.task, None)
            report = ProgressReport(image=0, step=1, steps=2)
            self.processes[process].bus.publish([log.live(record.key, report, 0.0)])

        self.do(say())

    @rule(client=CLIENTS, process=PROCESSES)
    def connect(self, client: int, process: int) -> None:
        """For the first time, or anew at any process."""

        async def connect() -> None:
            if not self.clients[client].watch.ended:
                self.clients[client].connect(self.processes[process])

        self.do(connect())

    @rule(client=CLIENTS)
    def disconnect(self, client: int) -> None:
        self.clients[client].disconnect()
        self.do()

    @rule(client=CLIENTS, reads=st.sampled_from(["not", "stuttering", "now"]))
    def read(self, client: int, reads: str) -> None:
        if reads == "not":
            self.clients[client].pause()
        elif reads == "now":
            self.clients[client].go_on()
        else:
            self.clients[client].stutter()
        self.do()

    @rule()
    def trim_the_stream(self) -> None:
        self.redis.xtrim(STREAM, maxlen=0, approximate=False)
        self.do()

    @rule(keep=st.integers(1, 30))
    def prune(self, keep: int) -> None:
        def prune(store: Store) -> int:
            num = records.find(store, self.task, None).key.num
            last = int(store.value("SELECT last_seq FROM tasks WHERE num = ?", num))
            store.change("DELETE FROM events WHERE task_num = ? AND seq <= ?", num, last - keep)
            return last - keep

        pruned = self.loop.run_until_complete(self.processes[0].database.run(prune))
        self.pruned = max(self.pruned, pruned)
        self.do()

    @rule()
    def lose_the_bus_for_a_moment(self) -> None:
        """As `Bus` tells it once Redis answers again."""

        async def resync() -> None:
            for process in self.processes:
                process.hub.resync()

        self.do(resync())

    def teardown(self) -> None:
        """Whatever happened, everybody who is connected ends in the truth."""
        try:
            if hasattr(self, "task") and not self.faults:
                self._converge()
        finally:
            for client in getattr(self, "clients", ()):
                client.disconnect()
            for process in self.processes:
                self.loop.run_until_complete(process.stop())
            self.loop.close()
            self.redis.close()
        assert self.faults == []

    def _converge(self) -> None:
        self.trim_the_stream()  # which may lose what was on its way, but not what comes now
        self.do(self._reconnect_while_it_ends())
        deadline = time.monotonic() + 10.0
        while not all(client.watch.ended for client in self.clients) and time.monotonic() < deadline:
            self.do()
        assert [client.watch.ended for client in self.clients] == [True] * 2
        for client in self.clients:
            assert any(isinstance(event, SnapshotEvent) for event in client.watch), "nothing opened it"

    async def _reconnect_while_it_ends(self) -> None:
        end = self.processes[0].database.run(cancel.cancel, self.task, None)
        for client in self.clients:
            client.go_on()
            if not client.watch.ended:
                client.connect(self.processes[1])
        await end


def test_no_order_of_events_cuts_trims_and_reconnects_loses_or_doubles_a_number(
    tmp_path: Path, valkey: dict[str, Any]
) -> None:
    run_state_machine_as_test(
        lambda: Machine(tmp_path, valkey),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            phases=[Phase.generate],  # what threads and sockets do does not repeat exactly: no shrinking
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
