"""Which quota of a region a GPU counts against, and whether it has room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpugen_server.autoscale.gce.errors import Refused, Unclear
from gpugen_server.autoscale.gce.offers import Kind, Offer
from gpugen_server.autoscale.gce.trouble import Trouble

if TYPE_CHECKING:
    from gpugen_server.autoscale.gce.cloud import Cloud

SECONDS = 60.0  # for which a look at a region's quota holds
_METRICS = {
    "nvidia-l4": "NVIDIA_L4_GPUS",
    "nvidia-tesla-t4": "NVIDIA_T4_GPUS",
    "nvidia-tesla-p4": "NVIDIA_P4_GPUS",
    "nvidia-tesla-p100": "NVIDIA_P100_GPUS",
    "nvidia-tesla-v100": "NVIDIA_V100_GPUS",
    "nvidia-tesla-a100": "NVIDIA_A100_GPUS",
    "nvidia-a100-80gb": "NVIDIA_A100_80GB_GPUS",
    "nvidia-h100-80gb": "NVIDIA_H100_GPUS",
}


class Quotas:
    """What is left of a project's quotas, looked up now and then. Blocking: for threads only."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._known: dict[tuple[str, str], tuple[float, float | None]] = {}

    def trouble(self, offer: Offer, now: float) -> Trouble | None:
        """Whether a quota says no before anybody is asked. `now` in seconds."""
        metric = metric_of(offer.kind)
        left = self._left(offer.region, metric, now) if metric else None
        if left is None or left >= max(1, offer.kind.count):
            return None
        text = f"The quota {metric} of {offer.region} is used up: ask for more in the console."
        return Trouble(kind="quota", reach="region", seconds=5 * 60.0, text=text)

    def _left(self, region: str, metric: str, now: float) -> float | None:
        looked_at, left = self._known.get((region, metric), (-SECONDS, None))
        if now - looked_at >= SECONDS:
            try:
                left = self._cloud.quota_left(region, metric)
            except (Refused, Unclear):
                left = None  # it only saves a call: the answer to the real one decides
            self._known[region, metric] = (now, left)
        return left


def metric_of(kind: Kind) -> str:
    """The quota that must have room for a machine of `kind`; empty where it is not known."""
    metric = _METRICS.get(kind.accelerator, "")
    return f"PREEMPTIBLE_{metric}" if metric and kind.spot else metric
