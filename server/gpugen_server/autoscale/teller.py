"""What the tasks that wait are told of the machines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gpugen_server.autoscale import demand
from gpugen_server.autoscale.ledger import Ledger
from gpugen_server.queue.demand import tell_waiting
from gpugen_server.queue.place import Kind

MOST_REFUSALS = 10


class Teller:
    """Speaks to the tasks that wait; what they know already is not said again.

    Attributes:
        trouble: why no machine comes; empty while nothing is wrong.
        concerned: the kinds of tasks that have no worker to wait for, None: any; one more machine is no news
            for the others.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._told = True  # a server before this one may have told them something
        self._last_words = "-"  # no task says so
        self._refusals: list[str] = []
        self.trouble = ""
        self.concerned: Collection[Kind] | None = None

    @property
    def quiet(self) -> bool:
        """Whether all of them have a worker to wait for."""
        return self.concerned is not None and not self.concerned

    def refused(self, text: str) -> None:
        """Keep in mind that a machine did not come, for what is said of the next one."""
        self._refusals = [*self._refusals[-MOST_REFUSALS + 1 :], text]

    async def starting(self, text: str, data: Mapping[str, Any]) -> None:
        """A machine comes."""
        self.trouble = ""
        if self.quiet:
            return
        self._told = True
        said = f"{text}. Before: {self._refusals[-1]}" if self._refusals else text
        await self._ledger.change(tell_waiting, self.concerned, "starting", said, self._with_refusals(data))

    async def waiting(self, text: str, data: Mapping[str, Any]) -> None:
        """None comes for now."""
        self.trouble = text
        if self.quiet:
            return
        self._told, self._last_words = True, text
        said = self._with_refusals(data)
        await self._ledger.database.run(tell_waiting, self.concerned, "queued", text, said)

    async def line_up(self, live_after: float) -> None:
        """A worker is there: who waited for a machine now waits for its turn."""
        self._refusals.clear()
        self.trouble = ""
        if self._told:
            self._told = False
            await self._ledger.change(demand.line_up, live_after, self._last_words)

    def _with_refusals(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {**data, "refused": list(self._refusals)} if self._refusals else dict(data)
