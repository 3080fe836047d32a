"""What may be asked for, in order, and what is not worth asking for at the moment."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from gpugen_protocol.errors import Misconfigured
from gpugen_server.autoscale.gce.trouble import Trouble

_ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z]")
_KIND = re.compile(
    r"(?P<machine>[a-z0-9-]+)(?:\+(?P<gpu>[a-z0-9-]+?)(?:x(?P<count>[1-9]\d?))?)?(?P<spot>:spot)?"
)
_BUILT_IN = {"g2": "nvidia-l4", "a2-highgpu": "nvidia-tesla-a100", "a2-ultragpu": "nvidia-a100-80gb"}
_BUILT_IN |= {"a3-highgpu": "nvidia-h100-80gb", "g4": "nvidia-rtx-pro-6000"}


class Kind(Struct, frozen=True):
    """A machine type with its GPUs; an empty machine: what the instance template says.

    Attributes:
        gpu: the accelerator to attach, empty where the machine type brings it or there is none.
    """

    machine: str = ""
    gpu: str = ""
    count: int = 0
    spot: bool = False

    @property
    def accelerator(self) -> str:
        """The GPU it has, attached or built in; empty if that is not known."""
        built_in = (gpu for family, gpu in _BUILT_IN.items() if self.machine.startswith(family))
        return self.gpu or next(built_in, "")

    def __str__(self) -> str:
        gpus = f" with {self.count} x {self.gpu}" if self.gpu else ""
        return f"{self.machine or 'the machine of the template'}{gpus}{' (spot)' if self.spot else ''}"


class Offer(Struct, frozen=True):
    """One thing to ask the cloud for."""

    zone: str
    kind: Kind

    @property
    def region(self) -> str:
        """The zone's region."""
        return self.zone.rpartition("-")[0]

    def __str__(self) -> str:
        return f"{self.kind} in {self.zone}"


def read_offers(zones: str, kinds: str) -> tuple[Offer, ...]:
    """Every zone for the first kind, then for the next one.

    Args:
        zones: `us-central1-a,us-central1-b`.
        kinds: `g2-standard-4:spot,n1-standard-4+nvidia-tesla-t4x2`; empty: what the instance template says.

    Raises:
        Misconfigured: a zone or kind that cannot be one.
    """
    places = [zone.strip() for zone in zones.split(",") if zone.strip()]
    for zone in places:
        if not _ZONE.fullmatch(zone):
            raise Misconfigured(
                f"GPUGEN_GCE_ZONES: {zone!r} is not a zone.",
                hint="Write for example us-central1-a,us-central1-b.",
            )
    if not places:
        raise Misconfigured("GPUGEN_GCE_ZONES names no zone.", hint="Write for example us-central1-a.")
    wanted = [_kind(text.strip()) for text in kinds.split(",") if text.strip()] or [Kind()]
    return tuple(Offer(zone, kind) for kind in wanted for zone in places)


def _kind(text: str) -> Kind:
    found = _KIND.fullmatch(text)
    if found is None:
        raise Misconfigured(
            f"GPUGEN_GCE_MACHINES: {text!r} is not a kind of machine.",
            hint="Write for example g2-standard-4:spot or n1-standard-4+nvidia-tesla-t4x1.",
        )
    gpu = found["gpu"] or ""
    return Kind(found["machine"], gpu, int(found["count"] or 1) if gpu else 0, bool(found["spot"]))


class Catalogue:
    """The offers, and what was refused lately. Times are seconds of one clock, which the caller holds."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.offers = tuple(offers)
        self._avoided: dict[tuple[str, Kind | None], tuple[float, str]] = {}

    def first(self, now: float) -> Offer | None:
        """The first offer that nothing speaks against."""
        return next((offer for offer in self.offers if self._reason(offer, now) is None), None)

    def number(self, offer: Offer) -> int:
        """Its place in the list, from 1."""
        return self.offers.index(offer) + 1

    def avoid(self, offer: Offer, trouble: Trouble, now: float) -> None:
        """Remember a refusal for as long as it says."""
        places = {"zone": offer.zone, "region": offer.region, "everything": ""}
        place = places[trouble.reach]
        kind = None if trouble.reach == "everything" else offer.kind
        self._avoided[place, kind] = (now + trouble.seconds, trouble.text)

    def again_at(self, now: float) -> float:
        """When the first of the offers can be asked for again; `now` if one can be already."""
        return min((self._until(offer, now) for offer in self.offers), default=now)

    def reasons(self, now: float) -> tuple[str, ...]:
        """Why each refusal stands, each said once: after the zones it is about, unless it is about all."""
        zones: dict[str, list[str]] = {}
        for offer in self.offers:
            if (text := self._reason(offer, now)) is not None:
                zones.setdefault(text, []).append(offer.zone)
        every = len(self.offers)
        return tuple(
            text if len(where) == every else f"{', '.join(dict.fromkeys(where))}: {text}"
            for text, where in zones.items()
        )

    def _marks(self, offer: Offer) -> list[tuple[float, str]]:
        keys = ((offer.zone, offer.kind), (offer.region, offer.kind), ("", None))
        return [self._avoided[key] for key in keys if key in self._avoided]

    def _reason(self, offer: Offer, now: float) -> str | None:
        return next((text for until, text in self._marks(offer) if until > now), None)

    def _until(self, offer: Offer, now: float) -> float:
        return max((until for until, _ in self._marks(offer) if until > now), default=now)
