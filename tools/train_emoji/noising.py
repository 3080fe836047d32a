"""How latents get noisy, on the way that the denoiser learns to go back, and what of it is predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import DPMSolverMultistepScheduler

TIMES = 1000


@dataclass(frozen=True)
class Noising:
    """Weights [TIMES] by time: the first leaves latents all but clean, the last all but noise.

    Attributes:
        signal, noise: noisy latents are `signal * clean + noise * grain`.
        of_noise, of_signal: what is predicted is `of_noise * grain - of_signal * clean`.
        scheduler: makes what goes back in the pipeline.
    """

    signal: torch.Tensor
    noise: torch.Tensor
    of_noise: torch.Tensor
    of_signal: torch.Tensor
    scheduler: Callable[[], DPMSolverMultistepScheduler]

    def mix(
        self, clean: torch.Tensor, grain: torch.Tensor, times: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents [n, channels, h, w] at times [n], and what is to be predicted of them."""
        signal, noise, of_noise, of_signal = self._at(times)
        return signal * clean + noise * grain, of_noise * grain - of_signal * clean

    def clean(self, noisy: torch.Tensor, predicted: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """The clean latents that a prediction says lie behind noisy ones."""
        signal, noise, of_noise, of_signal = self._at(times)
        found: torch.Tensor = (of_noise * noisy - noise * predicted) / (signal * of_noise + noise * of_signal)
        return found

    def ratio(self, times: torch.Tensor) -> torch.Tensor:
        """Signal to noise, in power."""
        return (self.signal[times] / self.noise[times]) ** 2

    def _at(self, times: torch.Tensor) -> tuple[torch.Tensor, ...]:
        every = (self.signal, self.noise, self.of_noise, self.of_signal)
        return tuple(each[times][:, None, None, None] for each in every)


def v_scheduler() -> DPMSolverMultistepScheduler:
    """A zero terminal signal and trailing steps (Lin et al. 2024)."""
    return DPMSolverMultistepScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        steps_offset=1,
    )


def v_prediction() -> Noising:
    """Diffusion that keeps the variance; v is predicted (Salimans and Ho 2022)."""
    alphas = v_scheduler().alphas_cumprod
    signal, noise = alphas.sqrt(), (1 - alphas).sqrt()
    return Noising(signal, noise, signal, noise, v_scheduler)


V_PREDICTION = v_prediction()
