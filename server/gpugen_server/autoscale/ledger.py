"""The rows of the autoscaler, which only the server that holds its duty may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from msgspec import Struct

from gpugen_server.autoscale import demand, machines
from gpugen_server.autoscale.demand import Demand
from gpugen_server.autoscale.machine import Machine
from gpugen_server.autoscale.machines import Failures
from gpugen_server.database import Database, Store
from gpugen_server.queue.duty import Duty

P = ParamSpec("P")
T = TypeVar("T")

NAME = "autoscaler"


class Deposed(Exception):
    """Another server holds the duty."""


class View(Struct, frozen=True, kw_only=True):
    """The rows and the queue at one moment; see `plan.Scene` and `Demand`."""

    machines: list[Machine]
    heard: dict[str, float]
    busy: set[str]
    aside: set[str]
    demand: Demand
    failures: Failures


class Ledger:
    """Every change renews the duty in its own transaction: who stood still and lost it can change nothing.

    Args:
        provider: the name of the one whose machines these are.
        live_seconds: a worker heard of within this time is there.
        boot_seconds: until a machine that is asked for is there, about.
    """

    def __init__(self, database: Database, provider: str, live_seconds: float, boot_seconds: float) -> None:
        self.database = database
        self.provider = provider
        self._live_seconds = live_seconds
        self._boot_seconds = boot_seconds
        self._duty = Duty(NAME)

    def now(self) -> float:
        """The time by the database's clock, in seconds since the epoch."""
        return self.database.now()

    def live_after(self) -> float:
        """The moment after which a worker was heard of, if it is alive."""
        return self.now() - self._live_seconds

    def another_at(self) -> float:
        """The moment at which a machine that is asked for now would be there."""
        return self.now() + self._boot_seconds

    async def begin(self) -> None:
        """Where no other server can be, the duty of this one's former life is its own."""
        if self.database.engine.upgrades_itself:
            await self.database.run(self._duty.seize)

    async def hand_on(self) -> None:
        """Let another server take over at once."""
        await self.database.run(self._duty.hand_on)

    async def change(self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kw: P.kwargs) -> T:
        """`function(store, ...)` in one transaction.

        Raises:
            Deposed: another server holds the duty; nothing was done.
        """

        def fenced(store: Store) -> T:
            if not self._duty.take(store):
                raise Deposed
            return function(store, *args, **kw)

        return await self.database.run(fenced)

    async def present(self) -> list[Machine]:
        """The machines that have not ended. Raises Deposed."""
        return await self.change(machines.present, self.provider)

    async def view(self) -> View:
        """All there is to know. Raises Deposed."""
        return await self.change(self._view, self.live_after(), self.another_at())

    def _view(self, store: Store, live_after: float, another_at: float) -> View:
        machines.note_busy(store)
        heard, busy, aside = machines.with_workers(store, self.provider, another_at)
        return View(
            machines=machines.present(store, self.provider),
            heard=heard,
            busy=busy,
            aside=aside,
            demand=demand.read(store, live_after, another_at),
            failures=machines.failures(store, self.provider),
        )
