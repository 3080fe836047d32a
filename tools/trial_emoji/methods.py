"""The ways that are compared; each differs from the first in one thing."""

from __future__ import annotations

import torch
from diffusers import DPMSolverMultistepScheduler

from tools.train_emoji.denoiser import PLAIN, Method
from tools.train_emoji.noising import TIMES, Noising

from .muon import Muon


def uniform(even: torch.Tensor) -> torch.Tensor:
    """All times alike."""
    return even


def logit_normal(even: torch.Tensor) -> torch.Tensor:
    """Most in the middle (Esser et al. 2024, "Scaling rectified flow transformers")."""
    return torch.sigmoid(torch.special.ndtri(even))


def flow_scheduler() -> DPMSolverMultistepScheduler:
    """The same solver along straight lines."""
    return DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)


def flow() -> Noising:
    """Flow matching: straight lines from noise to picture, whose direction is predicted (Liu et al. 2023)."""
    noise = torch.arange(TIMES) / TIMES
    return Noising(1 - noise, noise, torch.ones(TIMES), torch.ones(TIMES), flow_scheduler)


FLOW = flow()

METHODS: dict[str, Method] = {
    "as trained: v-prediction, AdamW, t = 1000 u^0.7": PLAIN,
    "min-SNR weights, 5 at most": Method(min_snr=5.0),
    "uniform t": Method(times=uniform),
    "Muon": Method(optimiser=Muon),
    "Muon, 32 latents a step": Method(optimiser=Muon, batch=32),
    "flow matching, t = 1000 u^0.7": Method(noising=FLOW),
    "flow matching, uniform t": Method(noising=FLOW, times=uniform),
    "flow matching, logit-normal t": Method(noising=FLOW, times=logit_normal),
}
