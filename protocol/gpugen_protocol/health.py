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


class Stats(Struct, frozen=True, kw_only=True):
    """Tasks by state, workers by state, and the age of the server in seconds."""

    tasks: dict[str, int]
    workers: dict[str, int]
    uptime_seconds: float
    watchers: int = 0
