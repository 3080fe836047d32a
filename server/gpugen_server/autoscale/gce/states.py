"""What the status of an instance means: whether it comes, costs money, or has ended."""

from __future__ import annotations

from typing import Literal

from gpugen_server.autoscale.machine import Sighting

_STARTING = frozenset({"PENDING", "PROVISIONING", "STAGING"})
_THERE = frozenset({"RUNNING", "REPAIRING", "PENDING_STOP", "STOPPING", "SUSPENDING", "DEPROVISIONING"})
_STOPPED = frozenset({"TERMINATED", "STOPPED"})


def is_stopped(status: str) -> bool:
    """Whether it can be started again."""
    return status in _STOPPED


def sighting(status: str, outcome: Sighting | None) -> Sighting:
    """An instance with `status`; `outcome` says how the operation stands that was to bring it, if one was."""
    state = _state(status)
    text = "The machine has stopped, or was stopped." if state == "ended" else ""
    if outcome is None:
        return Sighting(state=state, text=text)
    return Sighting(state=state, settled=outcome.settled, text=outcome.text or text, failed=outcome.failed)


def not_there(outcome: Sighting | None) -> Sighting:
    """A machine that was asked for and is not there, though nothing is pending; `outcome` as above."""
    text = outcome.text if outcome is not None else ""
    return Sighting(
        state="ended", settled=True, text=text or "Google has taken it away, or somebody has deleted it."
    )


def _state(status: str) -> Literal["starting", "running", "ended"]:
    if status in _STARTING:
        return "starting"
    return "running" if status in _THERE else "ended"
