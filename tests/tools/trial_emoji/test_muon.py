from __future__ import annotations

import copy

import torch
from tools.trial_emoji.muon import Muon
from torch import nn


def network() -> nn.Module:
    torch.manual_seed(0)
    found = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Conv2d(4, 2, 3))
    return nn.ModuleDict({"conv_in": found[0], "hidden": found[1]})


def learn(own: nn.Module, optimiser: Muon, images: torch.Tensor) -> float:
    loss = (own["hidden"](own["conv_in"](images)) - 1).square().mean()  # type: ignore[index]
    own.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimiser.step()
    return float(loss.detach())


def test_convolutions_learn_as_matrices_and_the_outer_ones_as_usual() -> None:
    own, images = network(), torch.randn(8, 2, 8, 8)
    optimiser = Muon(own, 1e-2)
    before = {name: each.detach().clone() for name, each in own.named_parameters()}
    losses = [learn(own, optimiser, images) for _ in range(60)]
    assert losses[-1] < losses[0] / 2
    changed = {name for name, each in own.named_parameters() if not torch.equal(each, before[name])}
    assert changed == set(before)


def test_a_step_of_muon_is_as_large_in_every_direction() -> None:
    own, images = network(), torch.randn(8, 2, 8, 8)
    weight = own["hidden"].weight  # type: ignore[index]
    before = weight.detach().clone()
    learn(own, Muon(own, 1e-2), images)
    singular = torch.linalg.svdvals((weight.detach() - before).flatten(1))
    assert singular.min() > 0.5 * singular.max()


def test_it_goes_on_from_a_checkpoint_as_if_never_interrupted() -> None:
    images = torch.randn(8, 2, 8, 8)
    through, other = network(), network()
    first = Muon(through, 1e-2)
    learn(through, first, images)
    other.load_state_dict(through.state_dict())
    second = Muon(other, 1e-2)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    learn(through, first, images)
    learn(other, second, images)
    for one, same in zip(through.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, same)
