from __future__ import annotations

from typing import Any

import pytest
import torch
from tools.train_emoji import denoiser
from tools.train_emoji.bank import Bank
from tools.train_emoji.denoiser import Method
from tools.train_emoji.scene import Pose
from tools.train_emoji.split import Sampler


@pytest.fixture(scope="module")
def bank(sampler: Sampler) -> Bank:
    import random

    rng = random.Random(0)
    scenes = [sampler.scene(rng) for _ in range(20)]
    return Bank(scenes, [Pose()] * 20, torch.randn(20, 4, 8, 8))


def a_reader(texts: list[str]) -> torch.Tensor:
    return torch.tensor([[[float(len(text))]] for text in texts])


def batches(bank: Bank, sampler: Sampler, method: Method = denoiser.PLAIN) -> denoiser.Batches:
    reader: Any = a_reader
    return denoiser.Batches(bank, sampler.wordings, reader, 3, method)


def test_a_step_always_gets_the_same_batch(bank: Bank, sampler: Sampler) -> None:
    first, again = (batches(bank, sampler).at(7) for _ in range(2))
    other = batches(bank, sampler).at(8)
    assert torch.equal(first.noisy, again.noisy)
    assert torch.equal(first.hidden, again.hidden)
    assert not torch.equal(first.noisy, other.noisy)


def test_the_latents_can_be_had_back_from_what_is_to_be_predicted(bank: Bank, sampler: Sampler) -> None:
    found = batches(bank, sampler)
    times = torch.tensor([0, 400, 900, 999])
    batch = found.noised(bank.latents[:4], ["a"] * 4, times, torch.Generator().manual_seed(0))
    again = found.method.noising.clean(batch.noisy, batch.wanted, times)
    assert torch.allclose(again, bank.latents[:4], atol=1e-4)


def test_some_captions_are_left_out_for_guidance(bank: Bank, sampler: Sampler) -> None:
    lengths = torch.cat([batches(bank, sampler).at(step).hidden.flatten() for step in range(40)])
    assert 0.04 < float((lengths == 0).float().mean()) < 0.2


def test_min_snr_weights_fall_where_the_noise_is_weak_and_where_nothing_is_left(
    bank: Bank, sampler: Sampler
) -> None:
    weights = batches(bank, sampler, Method(min_snr=5.0)).weights(torch.tensor([0, 150, 999]))
    assert weights[0] < weights[1] > weights[2]
    assert batches(bank, sampler).weights(torch.tensor([0, 999])).tolist() == [1, 1]


def test_a_bank_survives_its_checkpoint(bank: Bank) -> None:
    again = Bank.of(bank.state())
    assert (again.scenes, again.poses) == (bank.scenes, bank.poses)
    assert torch.allclose(again.latents, bank.latents, atol=2e-3)
