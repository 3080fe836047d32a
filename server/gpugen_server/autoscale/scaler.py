"""The autoscaler: one loop compares what is wanted with what is there, and takes the steps of the plan.

Of several server processes one does it, the holder of a duty.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping

import structlog

from gpugen_server.autoscale import plan
from gpugen_server.autoscale.hands import Hands
from gpugen_server.autoscale.ledger import Deposed, Ledger, View
from gpugen_server.autoscale.machine import Machine, Sighting
from gpugen_server.autoscale.plan import Recent, Rules, Scene, Step
from gpugen_server.autoscale.provider import Provider, ProviderAway
from gpugen_server.autoscale.recruiter import Recruiter
from gpugen_server.autoscale.teller import Teller
from gpugen_server.complaints import Complaints
from gpugen_server.database import Database

AWAY = 60.0  # seconds without a look after which this server may have missed what happened
SETTLING = 120.0  # seconds for which is looked out for what may still come, or be cleared away

log = structlog.get_logger(__name__)


class Autoscaler:
    """Starts machines while tasks wait, and sees to it that they end.

    Args:
        provider: where machines come from.
        live_seconds: a worker heard of within this time is there.
        max_cost: dollars of a day after which no machine is started; 0: any number.
    """

    def __init__(
        self,
        database: Database,
        provider: Provider,
        rules: Rules,
        *,
        live_seconds: float,
        max_cost: float = 0.0,
    ) -> None:
        self._provider = provider
        self._rules = rules
        self._ledger = Ledger(database, provider.name, live_seconds, rules.backlog)
        self._teller = Teller(self._ledger)
        self._hands = Hands(self._ledger, provider, self._teller)
        self._recruiter = Recruiter(self._ledger, provider, self._hands, self._teller, rules, max_cost)
        self._recent = Recent(rules.window)
        self._since = self._looked_at = self._observed_at = self._peopled_at = 0.0  # by the database's clock
        self._pace = provider.rhythm.usual  # seconds until the next look
        self._text = ""
        self._changed = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._complaints = Complaints(log)

    async def start(self) -> None:
        """Begin."""
        await self._ledger.begin()
        self._loop = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Something has changed: a task was submitted, say, or a machine ended."""
        self._changed.set()

    def describe(self) -> str:
        """What it does, for people."""
        return self._teller.trouble or self._text

    async def stop(self) -> None:
        """End the loop, let go of what lives only with this server, and let another one go on at once."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        await self._provider.close()
        try:
            await self._ledger.hand_on()
        except Exception as error:  # the duty ends by itself soon
            self._complaints.log("the autoscaler's duty could not be handed on", error)

    async def reconcile(self) -> None:
        """Bring what is there closer to what is wanted."""
        try:
            await self._reconcile()
        except Deposed:
            await self._stand_by()
        except ProviderAway as away:
            self._pace = self._provider.rhythm.usual
            await self._teller.waiting(f"{away} Asking again.", {"reason": "away"})

    async def _reconcile(self) -> None:
        rows = await self._ledger.present()
        self._note_look()
        sightings = await self._observe(rows)
        view = await self._ledger.view()
        steps = self._steps(view, sightings)
        for step in steps:
            await self._take(step, view)
        if steps:
            view = await self._ledger.view()
        self._text = f"{len(view.machines)} of at most {self._rules.max_workers} on {self._provider.place}"
        self._pace = await self._recruiter.serve(view, sightings)
        if self._settling:
            self._pace = min(self._pace, self._provider.rhythm.usual)

    async def _take(self, step: Step, view: View) -> None:
        """A machine that cannot be let go just now is no reason for the others to wait: it is told again."""
        try:
            await self._hands.take(step, view)
        except ProviderAway as away:
            if step.kind not in {"leave", "stray"}:
                raise
            self._complaints.log("a machine could not be let go", away)

    async def _run(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self.reconcile()
            except Exception as error:  # whatever it is, the next look may go well
                self._complaints.log("the autoscaler could not do its work", error)
            await asyncio.sleep(max(0.0, begun + self._provider.rhythm.least - time.monotonic()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace):
                    await self._changed.wait()
            self._changed.clear()

    async def _stand_by(self) -> None:
        """Another server does it; what lives only with this one has no place there."""
        self._looked_at = 0.0
        self._text = "another server of this database sees to it"
        self._pace = self._provider.rhythm.usual
        await self._provider.close()

    def _note_look(self) -> None:
        """After a long absence nothing is known of what happened meanwhile."""
        now = self._ledger.now()
        if now - self._looked_at > AWAY:
            self._since = now
        self._looked_at = now

    @property
    def _settling(self) -> bool:
        return self._looked_at - self._peopled_at < SETTLING

    async def _observe(self, rows: list[Machine]) -> Mapping[str, Sighting]:
        """What the provider shows; seldom looked at while nothing should be there."""
        if rows:
            self._peopled_at = self._looked_at
        seldom = self._looked_at - self._observed_at < self._provider.rhythm.none
        if not rows and not self._settling and seldom:
            return {}
        self._observed_at = self._looked_at
        return await self._provider.observe(rows)

    def _steps(self, view: View, sightings: Mapping[str, Sighting]) -> list[Step]:
        lately = self._recent.note(self._looked_at, plan.desired(view.demand.work, self._rules))
        if self._looked_at - self._since <= self._rules.window:  # nobody knows what was wanted before
            lately = self._rules.max_workers
        scene = Scene(
            now=self._looked_at,
            since=self._since,
            machines=view.machines,
            sightings=sightings,
            heard=view.heard,
            busy=view.busy,
            aside=view.aside,
            waiting=bool(view.demand.work.waiting),
            wanted=lately,
        )
        return plan.steps(self._rules, scene)
