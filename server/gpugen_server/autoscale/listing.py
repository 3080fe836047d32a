"""The machines as users see them."""

from __future__ import annotations

from typing import Literal

from gpugen_protocol import worker as protocol
from gpugen_protocol.clock import rfc3339
from gpugen_server.autoscale.machine import Machine
from gpugen_server.database import Store

MOST = 1000
_PRESENT = f"""
SELECT {", ".join(Machine._fields)} FROM machines WHERE ended_at IS NULL ORDER BY id DESC LIMIT {MOST}
"""  # noqa: S608


def present(store: Store) -> list[protocol.Machine]:
    """Every machine that has not ended, the newest first; at most MOST."""
    return [_view(Machine(*row)) for row in store.rows(_PRESENT)]


def _view(machine: Machine) -> protocol.Machine:
    return protocol.Machine(
        name=machine.name,
        state=_state(machine),
        text=machine.leaving or machine.text,
        worker=machine.worker,
        hourly=machine.hourly,
        created_at=rfc3339(machine.created_at),
    )


def _state(machine: Machine) -> Literal["asked", "up", "serving", "leaving"]:
    if machine.leaving:
        return "leaving"
    if machine.worker is not None:
        return "serving"
    return "asked" if machine.up_at is None else "up"
