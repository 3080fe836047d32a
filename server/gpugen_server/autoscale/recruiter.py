"""Asks for the machines that the queue is worth, and tells the tasks that wait what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from gpugen_protocol.clock import rfc3339
from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale import cost, demand, machines, plan
from gpugen_server.autoscale.demand import Demand, Need
from gpugen_server.autoscale.hands import Hands
from gpugen_server.autoscale.ledger import Ledger, View
from gpugen_server.autoscale.machine import Machine, Sighting
from gpugen_server.autoscale.plan import Rules
from gpugen_server.autoscale.provider import Choice, Nothing, Provider
from gpugen_server.autoscale.teller import Teller
from gpugen_server.database import Store
from gpugen_server.queue import room
from gpugen_server.queue.workers import LiveWorker

AT_ONCE = 10  # machines asked for in one look

log = structlog.get_logger(__name__)


class Recruiter:
    """Every method raises Deposed and ProviderAway.

    Args:
        max_cost: dollars of a day after which no machine is started; 0: any number.
    """

    def __init__(
        self, ledger: Ledger, provider: Provider, hands: Hands, teller: Teller, rules: Rules, max_cost: float
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._hands = hands
        self._teller = teller
        self._rules = rules
        self._max_cost = max_cost

    async def serve(self, view: View, sightings: Mapping[str, Sighting]) -> float:
        """Ask for what is missing, and tell those who wait; gives seconds until there may be news."""
        view = await self._without_hopeless(view)
        if self._teller.concerned is None and view.demand.alone:  # somebody has come, who draws some of it
            await self._teller.line_up(self._ledger.live_after())
        self._teller.concerned = view.demand.alone
        missing = self._missing(view.demand, view.machines)
        if not view.demand.work.waiting:
            self._teller.trouble = ""
        elif missing:
            return min(self._pace(view), await self._start(view, missing))
        else:
            await self._tell(view, sightings)
        return self._pace(view)

    def _missing(self, found: Demand, present: list[Machine]) -> int:
        return plan.missing(plan.desired(found.work, self._rules), self._rules, present, found.others)

    def _pace(self, view: View) -> float:
        rhythm = self._provider.rhythm
        if any(_comes_or_goes(view, machine) for machine in view.machines):
            return rhythm.short
        return rhythm.usual if view.machines or view.demand.work.waiting else rhythm.none

    async def _without_hopeless(self, view: View) -> View:
        """All workers of this server offer the same: what one that is there does not serve nobody will.

        Where the settings say what they offer, none has to come for that.
        """
        found, offered = view.demand, self._provider.models
        if not (found.started or offered):
            return view
        to_come = () if found.started else offered
        if all(need.model in to_come for need in found.unserved):
            return view
        await self._ledger.change(demand.fail_unserved, self._ledger.live_after(), _hopeless, to_come)
        return await self._ledger.view()

    async def _start(self, view: View, missing: int) -> float:
        """Gives seconds until it is worth to look again."""
        obstacle = self._provider.obstacle()
        if obstacle is not None:
            await self._give_up(obstacle, view.demand)
            return self._provider.rhythm.usual
        for brake in (self._pause(view), await self._limit()):
            if brake is not None:
                text, data, seconds = brake
                await self._teller.waiting(text, data)
                return seconds
        for _ in range(min(missing, AT_ONCE)):
            choice = await self._provider.choose(self._ledger.now())
            if isinstance(choice, Nothing):
                return await self._nothing(choice, view)
            moments = self._ledger.live_after(), self._ledger.another_at()
            machine = await self._ledger.change(self._intend, choice, *moments)
            if machine is None:
                break
            await self._teller.starting(_starting(choice.text, up=False), choice.data)
            await self._hands.ask(machine)
        return self._provider.rhythm.short

    def _intend(self, store: Store, choice: Choice, live_after: float, another_at: float) -> Machine | None:
        """One more row, if at this moment there is still one too few."""
        present = machines.present(store, self._ledger.provider)
        if not self._missing(demand.read(store, live_after, another_at), present):
            return None
        return machines.intend(store, self._ledger.provider, choice)

    # ---- why none is started ----

    async def _give_up(self, obstacle: TaskFailure, found: Demand) -> None:
        if obstacle.message != self._teller.trouble:
            log.warning("no worker can start", reason=obstacle.message)
        self._teller.trouble = obstacle.message
        if found.absent:
            await self._ledger.change(
                demand.fail_unserved, self._ledger.live_after(), lambda _need, _owners: obstacle
            )

    def _pause(self, view: View) -> tuple[str, dict[str, Any], float] | None:
        """After a failure; longer after several in a row."""
        count, last, reason = view.failures
        pause = plan.pause(self._rules, count)
        left = last + pause - self._ledger.now()
        if left <= 0:
            return None
        text = f"{reason[:1].upper()}{reason[1:].rstrip('.')}; trying again in {pause:g} s."
        return text, {"reason": "failed", "pause": pause}, left

    async def _limit(self) -> tuple[str, dict[str, Any], float] | None:
        """The brake on a day's cost."""
        spent = await self._ledger.change(cost.today) if self._max_cost else 0.0
        if not self._max_cost or spent < self._max_cost:
            return None
        text = (
            f"The machines have cost ${spent:.2f} today, the limit of a day is ${self._max_cost:.2f}: "
            "none is started before midnight UTC."
        )
        data = {"reason": "cost", "spent": round(spent, 4), "limit": self._max_cost}
        return text, data, self._provider.rhythm.usual

    async def _nothing(self, nothing: Nothing, view: View) -> float:
        seconds = max(1.0, nothing.again_at - self._ledger.now())
        if not view.machines:  # else those who wait have something to wait for
            at = rfc3339(nothing.again_at)
            text = f"{nothing.text} The next try is at {at[11:16]} UTC."
            await self._teller.waiting(text, {"reason": "refused", "next_at": at})
        return seconds

    # ---- what is told ----

    async def _tell(self, view: View, sightings: Mapping[str, Sighting]) -> None:
        staying = [machine for machine in view.machines if not machine.leaving]
        coming = [machine for machine in staying if machine.worker is None]
        if self._teller.quiet or (staying and not coming):
            await self._teller.line_up(self._ledger.live_after())
        elif coming:
            first = coming[0]
            seen = sightings.get(first.name)
            up = seen is not None and seen.state == "running"
            await self._teller.starting(_starting(first.text, up=up), {"machine": first.name, "up": up})
        elif view.machines:
            await self._teller.waiting("The last machine is still going; the next one follows it.", {})


def _comes_or_goes(view: View, machine: Machine) -> bool:
    """One that is drained is looked after like the others until its worker is done."""
    return machine.worker is None or (bool(machine.leaving) and machine.id not in view.busy)


def _starting(where: str, *, up: bool) -> str:
    return (
        f"The machine is there, its worker is coming up: {where}" if up else f"Starting a worker on {where}"
    )


def _hopeless(need: Need, owners: Sequence[LiveWorker]) -> TaskFailure:
    """Why none of those that have the model, `owners`, can draw it, or that there are none."""
    if owners:
        lack_memory = any(not worker.serves(need.model, need.memory) for worker in owners)
        what = room.thing(need.model, need.width, need.height, need.memory)
        limits = room.limits(owners, need.memory, need.width * need.height)
        return TaskFailure(
            code="out_of_memory" if lack_memory else "not_supported",
            message=f"No worker here can draw {what}: {limits}.",
            hint=room.WHAT_TO_DO,
        )
    return TaskFailure(
        code="model_missing",
        message=f"No worker here has the model {need.model}.",
        hint="Its folder may be missing, the worker's machine is offline and never loaded it, or the server "
        "was told to leave it out: see `gpugen models` and `gpugen doctor`.",
    )
