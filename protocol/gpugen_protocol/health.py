"""Whether the server and its parts are alive."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Part(Struct, frozen=True, kw_only=True):
    """One part of the server: its state and a sentence for people."""

    name: str
    state: Literal["ok", "degraded", "down"]
    text: str = ""


class Health(Struct, frozen=True, kw_only=True):
    """The server as a whole; `down` when it cannot accept tasks."""

    state: Literal["ok", "degraded", "down"]
    version: str
    parts: tuple[Part, ...] = ()


class Cost(Struct, frozen=True, kw_only=True):
    """What the autoscaler's machines cost, estimated in US dollars by the server's price table.

    Attributes:
        today: since midnight, UTC.
        per_task: the same, for each task that one of them finished today; null before the first.
        limit_per_day: beyond it no machine is started; null: there is no limit.
    """

    today: float = 0.0
    per_task: float | None = None
    limit_per_day: float | None = None


class Stats(Struct, frozen=True, kw_only=True):
    """Tasks by state, workers by state, the age of the server in seconds, and what its machines cost."""

    tasks: dict[str, int]
    workers: dict[str, int]
    uptime_seconds: float
    watchers: int = 0
    cost: Cost = Cost()
