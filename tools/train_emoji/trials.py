"""Compares ways to train the denoiser, each for the same time from the same weights."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from . import denoiser
from .bank import Bank
from .run import Run
from .stage import rate

METHODS = {
    "as trained: t = 1000 u^0.7, all times alike": denoiser.Method(),
    "min-SNR weights, 5 at most": denoiser.Method(min_snr=5.0),
    "uniform t": denoiser.Method(early=1.0),
}
KEPT = 512  # latents at the end of the bank that are measured on and not trained on
BANDS = ((0, 333), (333, 667), (667, 1000))


def compare(run: Run, seconds: float) -> None:
    """Trains with each method for `seconds` and writes trials.json beside the checkpoints."""
    found = {}
    for name, method in METHODS.items():
        found[name] = trial(run, method, seconds)
        print(name, found[name], flush=True)
    (run.out / "trials.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def trial(run: Run, method: denoiser.Method, seconds: float) -> dict[str, Any]:
    """Steps taken, and the loss of the averaged weights by times. The rate falls by the clock."""
    batches = run.batches(method)
    kept, rest = part(batches.bank, slice(-KEPT, None)), part(batches.bank, slice(-KEPT))
    batches.bank = rest
    learner = denoiser.Learner(run.first_denoiser(), denoiser.FURTHER_RATE)
    learner.average.decay = 0.99  # a short run
    began, step = time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        learner.learn(batches.at(step), rate(int(1000 * spent / seconds), 1000, flat=0.4, warm=20))
        step += 1
    learner.unet.load_state_dict(learner.average.weights)
    batches.bank = kept
    return {"steps": step, **losses(learner.unet, batches)}


def part(bank: Bank, which: slice) -> Bank:
    """Some of a bank."""
    return Bank(bank.scenes[which], bank.poses[which], bank.latents[which])


def losses(unet: UNet2DConditionModel, batches: denoiser.Batches) -> dict[str, float]:
    """The mean square error of v on the whole of a bank, the same noise each time, by bands of times."""
    rng, generator = random.Random("trials"), torch.Generator().manual_seed(1)
    bank = batches.bank
    found = {}
    for low, high in BANDS:
        errors = []
        for first in range(0, len(bank), 32):
            rows = range(first, min(first + 32, len(bank)))
            texts = [batches.wordings.caption(bank.scenes[each], rng) for each in rows]
            times = torch.randint(low, high, [len(rows)], generator=generator)
            batch = batches.noised(bank.latents[rows.start : rows.stop], texts, times, generator)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                v = unet(batch.noisy, batch.times, batch.hidden).sample
            errors.append((v.float() - batch.wanted).square().mean((1, 2, 3)))
        found[f"loss t {low}-{high}"] = round(float(torch.cat(errors).mean()), 4)
    return found
