"""Muon for a network of convolutions (Jordan et al. 2024, "Muon: an optimizer for hidden layers")."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

OUTER = ("conv_in.", "conv_out.")
DECAY = 1e-3


class Muon:
    """PyTorch's Muon for the hidden weights, each as a matrix of one row an output; AdamW for the rest.

    PyTorch's takes matrices only: it is given views of the convolutions, which share their memory.
    """

    def __init__(self, network: nn.Module, rate: float) -> None:
        named = list(network.named_parameters())
        hidden = [each for name, each in named if each.ndim > 1 and not name.startswith(OUTER)]
        others = [each for name, each in named if each.ndim <= 1 or name.startswith(OUTER)]
        self.views = [(each, nn.Parameter(each.detach().view(len(each), -1))) for each in hidden]
        # Updates as large as AdamW's, so that its rate serves (Liu et al. 2025, "Muon is scalable").
        self.matrices = torch.optim.Muon(
            [view for _, view in self.views], lr=rate, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw"
        )
        self.others = torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.99), weight_decay=DECAY, fused=True)
        self.param_groups: list[dict[str, Any]] = [*self.matrices.param_groups, *self.others.param_groups]

    def step(self) -> None:
        """One step of both."""
        for weight, view in self.views:
            view.grad = None if weight.grad is None else weight.grad.view_as(view)
        self.matrices.step()
        self.others.step()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"matrices": self.matrices.state_dict(), "others": self.others.state_dict()}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Goes on from a checkpoint."""
        self.matrices.load_state_dict(state["matrices"])
        self.others.load_state_dict(state["others"])
        self.param_groups = [*self.matrices.param_groups, *self.others.param_groups]
