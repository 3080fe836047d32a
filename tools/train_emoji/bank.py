"""The latents that the denoiser learns to make: of many scenes, each in a pose of its own, encoded once.

Drawing and encoding a picture takes a third of a denoiser's step on it; each serves several times.
"""

from __future__ import annotations

import random
from dataclasses import astuple, dataclass
from typing import Any

import torch
from diffusers import AutoencoderTiny

from . import autoencoder
from .pictures import Pictures
from .scene import Pose, Scene, pose
from .split import Sampler
from .stage import Stage

CHUNK = 64


@dataclass(frozen=True)
class Bank:
    """Scenes with their poses and latents [n, channels, h, w]."""

    scenes: list[Scene]
    poses: list[Pose]
    latents: torch.Tensor

    def __len__(self) -> int:
        return len(self.scenes)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "scenes": [astuple(each) for each in self.scenes],
            "poses": [astuple(each) for each in self.poses],
            "latents": self.latents.half(),
        }

    @classmethod
    def of(cls, state: dict[str, Any]) -> Bank:
        """From a checkpoint."""
        scenes = [Scene(*each) for each in state["scenes"]]
        return cls(scenes, [Pose(*each) for each in state["poses"]], state["latents"].float())


def build(
    vae: AutoencoderTiny, pictures: Pictures, sampler: Sampler, stage: Stage, count: int, seed: int
) -> Bank:
    """A bank with its checkpoint."""
    bank = encoded(vae, pictures, sampler, count, seed)
    stage.save(bank.state())
    stage.log(count, mean=float(bank.latents.mean()), deviation=float(bank.latents.std()))
    return bank


def encoded(vae: AutoencoderTiny, pictures: Pictures, sampler: Sampler, count: int, seed: int) -> Bank:
    """`count` scenes of the training split, encoded by the stock modules."""
    rng = random.Random(f"bank {seed}")
    scenes = [sampler.scene(rng) for _ in range(count)]
    # Not mirrored: shown both ways round, the denoiser drew a blend of the two.
    poses = [pose(each, rng, mirrored=False) for each in scenes]
    parts = []
    with torch.no_grad():
        for first in range(0, count, CHUNK):
            images = pictures.draw(scenes[first : first + CHUNK], poses[first : first + CHUNK])
            with torch.autocast("cpu", torch.bfloat16):
                found = autoencoder.encode(vae, images.contiguous(memory_format=torch.channels_last))
            parts.append(found.half().contiguous())
    return Bank(scenes, poses, torch.cat(parts).float())
