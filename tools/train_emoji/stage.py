"""What every stage of the training shares: a place for checkpoints, a curve, a learning rate."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

SAVE_EVERY_SECONDS = 120.0


@dataclass
class Stage:
    """One stage's checkpoint and its lines in the curve file."""

    name: str
    out: Path
    resume: bool = False
    started: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    spent: float = 0.0

    @property
    def path(self) -> Path:
        """Where the checkpoint lies."""
        return self.out / f"{self.name}.pt"

    def load(self) -> dict[str, Any] | None:
        """The last checkpoint when resuming, else nothing."""
        if not (self.resume and self.path.exists()):
            return None
        state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        self.spent = float(state["seconds"])
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint in one step, so that a kill leaves the old or the new one."""
        fresh = self.path.with_suffix(".tmp")
        torch.save(state | {"seconds": self.seconds()}, fresh)
        fresh.replace(self.path)
        self.saved = time.monotonic()

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self.saved > SAVE_EVERY_SECONDS

    def seconds(self) -> float:
        """How long the stage has run, over all its sittings."""
        return self.spent + time.monotonic() - self.started

    def log(self, step: int, **values: float) -> None:
        """Writes one line of the curve."""
        shown = " ".join(f"{key}={value:.5g}" for key, value in values.items())
        line = f"{self.name} step={step} seconds={self.seconds():.0f} {shown}"
        print(line, flush=True)
        with (self.out / "curve.txt").open("a") as curve:
            curve.write(line + "\n")


def rate(step: int, steps: int, *, flat: float, warm: int = 100, low: float = 0.02) -> float:
    """The share of the full learning rate: a short warm-up, flat for a while, then a cosine down to `low`."""
    warmth = min(1.0, (step + 1) / warm)
    done = step / max(1, steps)
    if done <= flat:
        return warmth
    turn = (done - flat) / max(1e-9, 1 - flat)
    return warmth * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, turn))))


class Average:
    """An exponential moving average of a module's weights; the average draws better than the last step."""

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.steps = 0
        self.weights = {key: value.detach().clone() for key, value in module.state_dict().items()}

    def update(self, module: nn.Module) -> None:
        """Takes in the weights of one more step."""
        with torch.no_grad():
            self.steps += 1
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
            for key, value in module.state_dict().items():
                if value.is_floating_point():
                    self.weights[key].lerp_(value, 1 - decay)
                else:
                    self.weights[key].copy_(value)
