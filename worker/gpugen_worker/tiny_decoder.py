"""Sharper previews: a tiny autoencoder that was distilled from the model's own (TAESD and its kin).

See https://github.com/madebyollin/taesd. It reads the latents as the denoiser sees them, unscaled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

LONGEST = 32  # latents; of a larger drawing a smaller one is decoded, for the preview is small anyway


class TinyDecoder:
    """A `Look` through an AutoencoderTiny."""

    def __init__(self, autoencoder: Any) -> None:
        self._autoencoder = autoencoder

    def __call__(self, latent: torch.Tensor) -> torch.Tensor:
        """As `Look`; of eight times the latent's height and width, or less."""
        batch = latent.unsqueeze(0).to(self._autoencoder.dtype)
        shrink = LONGEST / max(batch.shape[-2:])
        if shrink < 1:
            batch = functional.interpolate(batch, scale_factor=shrink, mode="area")
        with torch.inference_mode():
            decoded: torch.Tensor = self._autoencoder.decode(batch).sample[0]
        return decoded.float().cpu()


def read_tiny_decoder(folder: Path, channels: int, device: str, dtype: torch.dtype) -> TinyDecoder:
    """The decoder in `folder` (diffusers' layout, safetensors) for latents of so many channels.

    Raises:
        OSError, ValueError: there is none, or it is for another kind of latents.
    """
    autoencoder = AutoencoderTiny.from_pretrained(
        folder, torch_dtype=dtype, use_safetensors=True, local_files_only=True
    )
    if autoencoder.config.latent_channels != channels:
        raise ValueError(f"it reads {autoencoder.config.latent_channels} channels, not {channels}")
    return TinyDecoder(autoencoder.to(device))
