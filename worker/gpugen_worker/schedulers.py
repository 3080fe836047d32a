"""Scheduler names -> diffusers' classes; each drawing gets a fresh one, so that no state is carried over."""

from __future__ import annotations

from typing import Any

import diffusers

from gpugen_protocol.request import SchedulerName

_TABLE: dict[SchedulerName, tuple[str, dict[str, Any]]] = {
    "ddim": (
        "DDIMScheduler",
        {"clip_sample": False},
    ),  # its default clips to pixels' range: latents go beyond
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": False}),
    "dpm++-karras": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
    ),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "flow-euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def build_scheduler(name: SchedulerName, own: Any) -> Any:
    """A new scheduler `name` that keeps what the model's `own` one says of its training."""
    cls, settings = _TABLE[name]
    return getattr(diffusers, cls).from_config(own.config, **settings)
