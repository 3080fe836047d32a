"""What a refusal of Compute Engine means: how much of the cloud to avoid, for how long, and what to tell.

The codes and what they stand for are those of Google's pages on resource errors and of the API's own answers;
SkyPilot and dstack draw the same lines between zone, region and account.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

Reach = Literal["zone", "region", "everything"]

_STOCK_OUT = frozenset(
    {"ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "insufficientCapacity"}
    | {"UNSUPPORTED_OPERATION"}  # what a machine that was preempted while it was made answers
)
_BUSY = frozenset({"RESOURCE_NOT_READY", "RESOURCE_OPERATION_RATE_EXCEEDED", "rateLimitExceeded"})
_QUOTA = frozenset({"QUOTA_EXCEEDED", "quotaExceeded"})
_ACCOUNT = frozenset(
    {"IAM_PERMISSION_DENIED", "PERMISSIONS_ERROR", "VPC_NOT_FOUND", "forbidden", "authError", "required"}
    | {"accessNotConfigured", "billingNotEnabled", "resourceNotFound", "notFound", "invalid"}
)

MINUTE = 60.0
_HELP = {
    "stock-out": "Google has none to give there now",
    "quota": "this project's quota is used up: ask for more in the console under IAM, Quotas",
    "permission": "the server's Google account may not do this: deploy/gcp/README.md lists the rights",
    "configuration": "something that GPUGEN_GCE_* names does not exist or does not fit",
    "busy": "Google asks to wait",
    "unknown": "not known to gpugen",
}


class Refusal(NamedTuple):
    """One error of the API: its code, and its message in the cloud's own words."""

    code: str
    message: str
    status: int = 0  # of HTTP; 0 where it came inside an operation


class Trouble(Struct, frozen=True, kw_only=True):
    """What to make of it.

    Attributes:
        kind: stock-out, quota, permission, configuration, busy, unknown.
        reach: how much of the cloud it concerns.
        seconds: for how long to avoid that.
        text: the cloud's own words, and ours.
    """

    kind: str
    reach: Reach
    seconds: float
    text: str


def understand(refusals: Sequence[Refusal]) -> Trouble:
    """The gravest of the errors that came together; at least one."""
    order: dict[Reach, int] = {"everything": 0, "region": 1, "zone": 2}
    return min(map(_one, refusals), key=lambda trouble: order[trouble.reach])


def is_stock_out(code: str) -> bool:
    """Whether `code` says that a zone has no such machine to give now."""
    return code in _STOCK_OUT


def _one(refusal: Refusal) -> Trouble:
    code, message = refusal.code, refusal.message
    if code in _QUOTA or "quota" in code.lower():
        everywhere = "GPUS_ALL_REGIONS" in message or "GPUS-ALL-REGIONS" in message
        return _trouble("quota", "everything" if everywhere else "region", 30 * MINUTE, refusal)
    if code in _STOCK_OUT:
        return _trouble("stock-out", "zone", 10 * MINUTE, refusal)
    if code in _BUSY or refusal.status == 429:
        return _trouble("busy", "zone", MINUTE / 2, refusal)
    if "machineTypes/" in message or "acceleratorTypes/" in message:
        return _trouble("configuration", "zone", 30 * MINUTE, refusal)  # not every zone has every kind
    if code in _ACCOUNT or refusal.status in {400, 401, 403, 404}:
        kind = "permission" if refusal.status in {401, 403} or _denied(code) else "configuration"
        return _trouble(kind, "everything", 5 * MINUTE, refusal)
    return _trouble("unknown", "zone", 10 * MINUTE, refusal)


def _denied(code: str) -> bool:
    return "PERMISSION" in code or code in {"forbidden", "authError", "required"}


def _trouble(kind: str, reach: Reach, seconds: float, refusal: Refusal) -> Trouble:
    said = refusal.message.strip().rstrip(".") or refusal.code
    return Trouble(kind=kind, reach=reach, seconds=seconds, text=f"{said} ({refusal.code}): {_HELP[kind]}.")
