"""A loaded model that is asked for pictures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline

from gpugen_worker.known_words import KnownWords

BATCH = 12
STEPS = 12
GUIDANCE = 1.5


@dataclass(frozen=True)
class Artist:
    """A pipeline with the settings to draw with.

    Attributes:
        words: which words of a prompt the worker shows the model; None: all.
    """

    pipeline: Any
    steps: int = STEPS
    guidance: float = GUIDANCE
    words: KnownWords | None = None

    @classmethod
    def load(cls, folder: Path, steps: int = STEPS, guidance: float = GUIDANCE) -> Artist:
        """From a model folder."""
        pipeline = DiffusionPipeline.from_pretrained(folder)
        pipeline.set_progress_bar_config(disable=True)
        return cls(pipeline, steps, guidance, KnownWords.read(folder, pipeline))

    def draw(self, prompts: Sequence[str], seed: int, **more: Any) -> torch.Tensor:
        """Images [n, 3, SIZE, SIZE] in 0..1, rounded to bytes; prompt k has the seed `seed + k`."""
        parts = []
        prompts = [self.words.plain(each) if self.words else each for each in prompts]
        settings = {"num_inference_steps": self.steps, "guidance_scale": self.guidance} | more
        for first in range(0, len(prompts), BATCH):
            some = prompts[first : first + BATCH]
            generators = [torch.Generator().manual_seed(seed + first + k) for k in range(len(some))]
            found = self.pipeline(some, generator=generators, output_type="pil", **settings).images
            parts += [torch.from_numpy(np.array(image.convert("RGB"))) for image in found]
        return torch.stack(parts).permute(0, 3, 1, 2).float() / 255

    def speed(self) -> dict[str, float]:
        """The best time of one image, as on an idle machine, and its CPU time over all threads."""
        walls, busy = [], []
        for seed in range(8):
            began, began_busy = time.perf_counter(), time.process_time()
            self.draw(["a cat"], seed)
            walls.append(time.perf_counter() - began)
            busy.append(time.process_time() - began_busy)
        return {"seconds_per_image": min(walls), "cpu_seconds_per_image": min(busy)}

    def same_twice(self) -> bool:
        """Whether the same seed gives the same pixels."""
        first, second = (self.draw(["a red car"], 7) for _ in range(2))
        return bool(torch.equal(first, second))
