"""What travels between server processes: one event as bytes, and who may see it."""

from __future__ import annotations

from msgspec import Struct

from gpugen_protocol.state import State


class Entry(Struct, frozen=True, array_like=True):
    """An event on its way to the watchers.

    Attributes:
        task: its task's id.
        user: the owner of the task.
        seq: its number; 0 for live ones (progress, preview).
        kind: its `type`; live ones of the same kind may replace each other.
        body: the event as JSON, as watchers get it.
        state: the state the task has just entered, if this tells one.
    """

    task: str
    user: str
    seq: int
    kind: str
    body: bytes
    state: State | None = None
