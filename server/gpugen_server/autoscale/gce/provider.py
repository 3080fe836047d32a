"""Machines on Compute Engine: which offer next, ask, wait for the operation, clear away what has ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog
from msgspec import Struct

from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale.gce.cloud import Cloud, Instance, Limits
from gpugen_server.autoscale.gce.errors import Refused, Unclear
from gpugen_server.autoscale.gce.offers import Catalogue, Offer
from gpugen_server.autoscale.gce.quota import Quotas
from gpugen_server.autoscale.gce.states import is_stopped, not_there, sighting
from gpugen_server.autoscale.gce.trouble import understand
from gpugen_server.autoscale.machine import Machine, Sighting
from gpugen_server.autoscale.prices import Prices
from gpugen_server.autoscale.provider import Choice, Nothing, ProviderAway, Rhythm, StartRefused

T = TypeVar("T")
TOLD_SECONDS = 60.0  # before a machine that was told to go is told again

log = structlog.get_logger(__name__)


class Terms(Struct, frozen=True, kw_only=True):
    """What every machine is told and made with. `idle_exit` in seconds; no `models`: all of the registry."""

    limits: Limits
    url: str
    idle_exit: float
    models: str = ""


class GceProvider:
    """Finds a place for a machine, offer by offer, and remembers refusals until they have gone stale.

    Args:
        clock: gives the time in seconds since the epoch.
    """

    name = "gce"
    place = "Google Compute Engine"
    rhythm = Rhythm(least=1.0, short=2.0, usual=10.0, none=300.0)

    def __init__(
        self, cloud: Cloud, catalogue: Catalogue, prices: Prices, terms: Terms, clock: Callable[[], float]
    ) -> None:
        self._cloud = cloud
        self._catalogue = catalogue
        self._prices = prices
        self._terms = terms
        self._clock = clock
        self.models = tuple(filter(None, (name.strip() for name in terms.models.split(","))))
        self._quotas = Quotas(cloud)
        self._stopped: dict[str, Instance] = {}  # kept machines that can be started again
        self._told: dict[str, float] = {}

    def obstacle(self) -> TaskFailure | None:
        """Refusals of the cloud pass; what cannot work at all kept the server from starting."""
        return None

    async def choose(self, now: float) -> Choice | Nothing:
        """The first offer in the list that was not refused lately and whose quota is not used up."""
        while (offer := self._catalogue.first(now)) is not None:
            trouble = await self._call(self._quotas.trouble, offer, now)
            if trouble is None:
                return await self._choice(offer)
            self._catalogue.avoid(offer, trouble, now)
        reasons = " ".join(self._catalogue.reasons(now))
        return Nothing(text=f"No machine can be had. {reasons}", again_at=self._catalogue.again_at(now))

    async def start(self, machine: Machine, token: str) -> str:
        """As `Provider.start`; the same machine asked for twice is one, for the request's id is the same."""
        offer = self._offer(machine)
        try:
            return await self._call(self._ask, machine, offer, token)
        except Refused as refused:
            if _is_gone(refused) and self._stopped.pop(machine.name, None) is not None:
                raise StartRefused(f"{offer}: the stopped machine is not there any more.") from None
            trouble = understand(refused.refusals)
        except Unclear as unclear:
            raise ProviderAway(f"{self.place} gave no clear answer: {unclear}.") from None
        self._catalogue.avoid(offer, trouble, self._clock())
        raise StartRefused(f"{offer}: {trouble.text}")

    async def stop(self, machine: Machine) -> None:
        """As `Provider.stop`. One whose worker never came is not worth keeping."""
        if self._was_told(machine.name):
            return
        keep = self._terms.limits.keep and machine.worker is not None
        await self._quietly(
            self._cloud.stop if keep else self._cloud.delete, machine.name, self._offer(machine).zone
        )
        self._told[machine.name] = self._clock()

    async def remove(self, name: str) -> None:
        """As `Provider.remove`."""
        for instance in await self._quietly(self._cloud.machines):
            if instance.name == name and not self._was_told(name):
                log.warning("a machine that nobody knows is deleted", machine=name, zone=instance.zone)
                await self._delete(instance)

    async def observe(self, machines: Sequence[Machine]) -> dict[str, Sighting]:
        """As `Provider.observe`. What has ended is deleted, or kept for the next start.

        Operations are looked up first: what they have brought forth is then in the list.
        """
        outcomes = {each.name: await self._outcome(each) for each in machines if each.operation}
        there = {each.name: each for each in await self._quietly(self._cloud.machines)}
        for machine in machines:
            if machine.name not in there and machine.asked_at is not None:  # the list may be late
                found = await self._quietly(self._cloud.machine, machine.name, self._offer(machine).zone)
                there |= {machine.name: found} if found is not None else {}
        seen = {name: sighting(each.status, outcomes.get(name)) for name, each in there.items()}
        ended = [each for name, each in there.items() if seen[name].state == "ended"]
        useless = {each.name for each in machines if each.worker is None and each.up_at is not None}
        await self._clear_away(ended, {each.name for each in machines} - useless, useless)
        self._told = {name: at for name, at in self._told.items() if name in there}
        gone = [each.name for each in machines if each.name not in there and each.asked_at is not None]
        settled = (name for name in gone if name not in outcomes or outcomes[name].settled)
        return {**seen, **{name: not_there(outcomes.get(name)) for name in settled}}

    async def close(self) -> None:
        """Machines outlive the server: the next one finds them."""
        await self._call(self._cloud.close)

    # ---- one offer ----

    async def _choice(self, offer: Offer) -> Choice:
        kept = self._kept(offer)
        number, count = self._catalogue.number(offer), len(self._catalogue.offers)
        where = f"{offer} (place {number} of {count})"
        return Choice(
            place=f"{offer.zone}/{number}",
            reuse=kept.name if kept else "",
            hourly=await self._hourly(offer),
            text=f"{where}, which was stopped" if kept else where,
            data={"zone": offer.zone, "machine": str(offer.kind), "number": number, "count": count},
        )

    async def _hourly(self, offer: Offer) -> float:
        if offer.kind.machine:
            return self._prices.hourly(offer.kind)
        try:
            return self._prices.hourly(await self._call(self._cloud.kind, self._terms.limits.template))
        except (Refused, Unclear):
            return self._prices.hourly(offer.kind)  # what is wrong shows when it is asked for

    def _kept(self, offer: Offer) -> Instance | None:
        kind = offer.kind
        fits = (
            each
            for each in self._stopped.values()
            if each.zone == offer.zone
            and (not kind.machine or (each.machine, each.spot) == (kind.machine, kind.spot))
        )
        return next(fits, None)

    def _offer(self, machine: Machine) -> Offer:
        """What a machine was asked for as; the list may have changed since."""
        zone, _, number = machine.place.partition("/")
        offers = self._catalogue.offers
        found = offers[min(int(number or 1), len(offers)) - 1]
        return found if found.zone == zone else Offer(zone, found.kind)

    def _ask(self, machine: Machine, offer: Offer, token: str) -> str:
        metadata = {
            "gpugen-url": self._terms.url,
            "gpugen-token": token,
            "gpugen-idle-exit": f"{self._terms.idle_exit:g}",
        }
        if self._terms.models:
            metadata["gpugen-models"] = self._terms.models
        request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"gpugen {machine.id}"))
        if machine.id not in machine.name:  # a stopped one that has the name of its first life
            template = self._cloud.template_metadata(self._terms.limits.template)  # a newer image, maybe
            self._cloud.tell(machine.name, offer.zone, {**template, **metadata})
            operation = self._cloud.start(machine.name, offer.zone, request_id)
            self._stopped.pop(machine.name, None)
            return operation
        return self._cloud.insert(machine.name, offer, self._terms.limits, metadata, request_id)

    # ---- what became of it ----

    async def _outcome(self, machine: Machine) -> Sighting:
        """How the operation stands that was to bring `machine`, as if it were all that is seen."""
        offer = self._offer(machine)
        try:
            progress = await self._call(self._cloud.operation, machine.operation, offer.zone)
        except Refused as refused:  # forgotten after a while: then the list decides
            return Sighting(state="starting", settled=_is_gone(refused))
        except Unclear as unclear:
            raise ProviderAway(f"{self.place}: {unclear}.") from None
        if not progress.refusals:
            return Sighting(state="starting", settled=progress.done)
        trouble = understand(progress.refusals)
        self._catalogue.avoid(offer, trouble, self._clock())
        return Sighting(state="starting", settled=True, text=f"{offer}: {trouble.text}", failed=True)

    async def _clear_away(self, ended: Sequence[Instance], known: set[str], useless: set[str]) -> None:
        """A stopped machine costs its disk: delete it, unless it is kept for that very disk.

        A disk with which no worker came up would only bring the same again.
        """
        idle = [each for each in ended if each.name not in known]
        good = [each for each in idle if is_stopped(each.status) and each.name not in useless]
        kept = good[: self._terms.limits.keep]
        self._stopped = {each.name: each for each in kept}
        for instance in idle:
            if instance.name not in self._stopped and not self._was_told(instance.name):
                await self._sweep(instance)

    async def _sweep(self, instance: Instance) -> None:
        """Delete what has ended; should that fail it costs a disk, and is no reason for others to wait."""
        try:
            await self._delete(instance)
        except ProviderAway as away:
            self._told[instance.name] = self._clock()
            log.warning("a machine that has ended could not be deleted", machine=instance.name, why=str(away))

    async def _delete(self, instance: Instance) -> None:
        await self._quietly(self._cloud.delete, instance.name, instance.zone)
        self._told[instance.name] = self._clock()

    def _was_told(self, name: str) -> bool:
        return self._clock() - self._told.get(name, -TOLD_SECONDS) < TOLD_SECONDS

    async def _quietly(self, call: Callable[..., T], *args: Any) -> T:
        try:
            return await self._call(call, *args)
        except Refused as refused:
            raise ProviderAway(f"{self.place}: {understand(refused.refusals).text}") from None
        except Unclear as unclear:
            raise ProviderAway(f"{self.place}: {unclear}.") from None

    async def _call(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(call, *args)


def _is_gone(refused: Refused) -> bool:
    return any(each.status == 404 for each in refused.refusals)
