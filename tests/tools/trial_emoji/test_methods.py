from __future__ import annotations

import pytest
import torch
from tools.train_emoji.noising import TIMES, V_PREDICTION, Noising
from tools.trial_emoji.exam import times_of
from tools.trial_emoji.methods import FLOW, METHODS, logit_normal, uniform

NOISINGS = pytest.mark.parametrize("noising", [V_PREDICTION, FLOW], ids=["v", "flow"])
# What diffusers' scheduler asks of numpy, which the next numpy will not do.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@NOISINGS
def test_clean_latents_can_be_had_back_from_what_is_predicted(noising: Noising) -> None:
    times = torch.tensor([1, 300, 700, TIMES - 1])
    clean, grain = torch.randn(2, 4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    noisy, wanted = noising.mix(clean, grain, times)
    assert torch.allclose(noising.clean(noisy, wanted, times), clean, atol=1e-4)


@NOISINGS
def test_the_scheduler_goes_the_way_back_that_the_noising_came(noising: Noising) -> None:
    """One who predicts as trained, and knows the picture, arrives at it."""
    clean, latents = torch.randn(2, 1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    scheduler = noising.scheduler()
    scheduler.set_timesteps(12)
    for time in scheduler.timesteps:
        signal, noise = noising.signal[time], noising.noise[time]
        grain = (latents - signal * clean) / noise
        predicted = noising.mix(clean, grain, time[None])[1]
        latents = scheduler.step(predicted, time, latents).prev_sample
    assert torch.allclose(latents, clean, atol=1e-2)


def test_every_noising_is_examined_at_the_same_ratio_of_signal_to_noise() -> None:
    levels = torch.tensor([0.2, 0.5, 0.8])
    v, flow = (each.ratio(times_of(each, levels)) for each in (V_PREDICTION, FLOW))
    assert torch.allclose(v.log(), flow.log(), atol=0.1)
    assert v[0] > v[1] > v[2]


def test_times_are_spread_as_the_method_says() -> None:
    even = (torch.arange(100) + 0.5) / 100
    assert torch.equal(uniform(even), even)
    spread = logit_normal(even)
    assert float(((spread > 0.25) & (spread < 0.75)).float().mean()) > 0.7
    assert float(next(iter(METHODS.values())).times(even).mean()) > 0.55
