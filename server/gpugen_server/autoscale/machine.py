"""One machine, as the server knows it and as its provider shows it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct


class Machine(NamedTuple):
    """A machine that was wished for and has not ended; times are seconds since the epoch.

    Attributes:
        name: what the provider calls it. It comes from `id` (or is that of a stopped machine to be used
            again), so that a second call cannot make a second machine.
        place, text: where, in words the provider understands, and in words for people.
        operation: the provider's name for what it was asked and has not finished.
        hourly: what an hour of it costs, in dollars.
        worker: the worker that introduced itself with the machine's token, once one has.
        asked_at: when the provider is known to have been asked.
        up_at: since when it costs money: it was seen running.
        busy_at: when its worker was last seen at work; at first, when it introduced itself.
        leaving: why it was asked to go; empty while it is wanted.
    """

    id: str
    name: str
    place: str = ""
    text: str = ""
    operation: str = ""
    hourly: float = 0.0
    worker: str | None = None
    created_at: float = 0.0
    asked_at: float | None = None
    up_at: float | None = None
    busy_at: float | None = None
    leaving: str = ""

    @property
    def used_at(self) -> float:
        """When it was last of use, or came into being."""
        return self.busy_at or self.asked_at or self.created_at


class Sighting(Struct, frozen=True, kw_only=True):
    """A machine as its provider shows it.

    Attributes:
        state: `starting` and `running` cost money; one that has `ended` does not, though it may be listed.
        settled: what the provider was last asked about it is done.
        text: of one that ended or cannot come: how.
        failed: it will not be of use, or ended without having been.
    """

    state: Literal["starting", "running", "ended"]
    settled: bool = False
    text: str = ""
    failed: bool = False
