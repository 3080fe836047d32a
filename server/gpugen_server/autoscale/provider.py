"""Where workers come from, as the autoscaler sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from gpugen_protocol.task import TaskFailure
from gpugen_server.autoscale.machine import Machine, Sighting

WORKER_USER = "autoscaler"  # the user whose worker tokens started workers carry; tells them from others


class Choice(Struct, frozen=True, kw_only=True):
    """What to ask for next.

    Attributes:
        place: for `Provider.start`; also kept with the machine.
        text: where that is, for people, as in "this machine".
        reuse: the name of a stopped machine that is to be started again; empty: a new one.
        hourly: what an hour costs, in dollars.
        data: the same for programs.
    """

    place: str
    text: str
    reuse: str = ""
    hourly: float = 0.0
    data: Mapping[str, Any] = {}


class Nothing(Struct, frozen=True, kw_only=True):
    """Nothing can be asked for until `again_at` (seconds since the epoch): `text` says why."""

    text: str
    again_at: float


class Rhythm(Struct, frozen=True, kw_only=True):
    """Seconds between two looks.

    Attributes:
        least: however often somebody wakes the autoscaler.
        short: while a machine comes or goes.
        usual: while some are there.
        none: while none is.
    """

    least: float
    short: float
    usual: float
    none: float


class Provider(Protocol):
    """Starts machines somewhere, each with one worker.

    `start`, `stop` and `observe` may be called again for the same machine at any time: the name decides.
    """

    name: str
    place: str  # as in "2 of at most 4 on this machine"
    rhythm: Rhythm
    models: tuple[str, ...]  # that its workers serve; empty: they themselves say it

    def obstacle(self) -> TaskFailure | None:
        """Why no worker can ever start here, if so."""

    async def choose(self, now: float) -> Choice | Nothing:
        """What to ask for."""

    async def start(self, machine: Machine, token: str) -> str:
        """Ask for a machine whose worker introduces itself with `token`; gives the operation to wait for.

        It is empty where there is nothing to wait for.

        Raises:
            StartRefused: it will not come; the next choice may be another one.
            ProviderAway: nobody knows whether it comes: look, and ask again.
        """

    async def stop(self, machine: Machine) -> None:
        """Let a machine go; one that is gone is fine. Raises ProviderAway."""

    async def remove(self, name: str) -> None:
        """Let a machine go of which no row is known. Raises ProviderAway."""

    async def observe(self, machines: Sequence[Machine]) -> dict[str, Sighting]:
        """Everything that is there, by name, and how those of `machines` ended that are not.

        Raises ProviderAway.
        """

    async def close(self) -> None:
        """Another server takes over, or this one ends: let go of what lives only with this one."""


class StartRefused(Exception):
    """A machine will not come; the message says why, in words for the user."""


class ProviderAway(Exception):
    """The provider does not answer; the message says how."""
