"""Takes the steps of the plan: each is a change of a row, a call to the provider, or both."""

from __future__ import annotations

import structlog

from gpugen_server.autoscale import demand, machines
from gpugen_server.autoscale.ledger import Ledger, View
from gpugen_server.autoscale.machine import Machine
from gpugen_server.autoscale.plan import Step
from gpugen_server.autoscale.provider import Provider, StartRefused
from gpugen_server.autoscale.teller import Teller

log = structlog.get_logger(__name__)


class Hands:
    """Every method raises Deposed, and ProviderAway where the provider is called."""

    def __init__(self, ledger: Ledger, provider: Provider, teller: Teller) -> None:
        self._ledger = ledger
        self._provider = provider
        self._teller = teller

    async def take(self, step: Step, view: View) -> None:
        """Do one step of what was planned for `view`."""
        if step.kind == "stray":
            await self._provider.remove(step.name)
            return
        machine = next(each for each in view.machines if each.name == step.name)
        match step.kind:
            case "ask":
                await self.ask(machine)
            case "asked":
                await self._ledger.change(machines.asked, machine.id)
            case "settled":
                await self._ledger.change(machines.settled, machine.id)
            case "up":
                await self._ledger.change(machines.up, machine.id)
            case "drain":
                await self._drain(machine, step.why)
            case "leave":
                await self._let_go(machine, step.why, machine.id in view.busy)
            case "ended":
                await self._end(machine, step.why, step.failed)
            case "cut":
                await self._cut(machine, step.why)

    async def ask(self, machine: Machine) -> None:
        """Ask the provider for a machine whose row is written; one that is refused has ended."""
        token = await self._ledger.change(machines.new_token, machine)
        try:
            operation = await self._provider.start(machine, token)
        except StartRefused as refused:
            await self._end(machine, str(refused), failed=False)
            return
        await self._ledger.change(machines.asked, machine.id, operation)

    async def _drain(self, machine: Machine, why: str) -> None:
        await self._ledger.change(machines.leave, machine, why, True)
        log.info("a machine is drained", machine=machine.name, why=why)

    async def _let_go(self, machine: Machine, why: str, even_if_busy: bool) -> None:
        if not await self._ledger.change(machines.leave, machine, why, even_if_busy):
            return
        if not machine.leaving:
            log.info("a machine is let go", machine=machine.name, why=why)
        await self._provider.stop(machine)

    async def _cut(self, machine: Machine, why: str) -> None:
        if await self._ledger.change(machines.has_drawn, machine):
            await self._end(machine, why, failed=False)
        else:
            await self._end(machine, f"{why.rstrip('.')}: its worker had done no task yet", failed=True)

    async def _end(self, machine: Machine, why: str, failed: bool) -> None:
        log.info("a machine ended", machine=machine.name, why=why, failed=failed)
        await self._ledger.change(machines.end, machine, why, failed)
        if failed:
            await self._ledger.change(demand.complain, why)
        elif machine.worker is None and not machine.leaving:
            self._teller.refused(why)
