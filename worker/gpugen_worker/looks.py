"""How previews are made: by the tiny autoencoder that the registry names, else by a linear fit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from gpugen_protocol.models import Model
from gpugen_worker.generator import DrawingFailed, Observer
from gpugen_worker.hardware import Hardware
from gpugen_worker.hub import Hub
from gpugen_worker.preview import LinearLook, Look, fit_factors
from gpugen_worker.tiny_decoder import LONGEST, TinyDecoder, read_tiny_decoder

_SLOWEST = 0.1  # seconds for the largest preview: a tenth of the time goes into them, so that is one a second


def find_look(model: Model, pipeline: Any, hub: Hub, hardware: Hardware, observer: Observer) -> Look | None:
    """The best there is; None where nothing fits. Never fails a task: a preview is a courtesy."""
    if model.tiny_autoencoder:
        try:
            return _tiny(model.tiny_autoencoder, pipeline, hub, hardware)
        except (
            DrawingFailed,
            OSError,
            RuntimeError,
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
        ) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            observer.log("info", f"Previews are coarse: {model.tiny_autoencoder} is not used: {reason}")
    factors = fit_factors(pipeline)
    return None if factors is None else LinearLook(factors)


def _tiny(place: str, pipeline: Any, hub: Hub, hardware: Hardware) -> Look:
    folder = Path(place)
    if not folder.is_absolute():
        folder = hub.part(place)
    config = pipeline.vae.config
    channels = config.get("latent_channels") or config.get("z_dim")
    look = read_tiny_decoder(folder, channels, hardware.device, hardware.dtype)
    seconds = _seconds(look, channels, hardware)
    if seconds > _SLOWEST:
        raise ValueError(f"a preview takes it {seconds:.1f} s on this {hardware.device}")
    return look


def _seconds(look: TinyDecoder, channels: int, hardware: Hardware) -> float:
    """What its second preview takes; the first one also warms up."""
    latent = torch.zeros(channels, LONGEST, LONGEST, device=hardware.device, dtype=hardware.dtype)
    look(latent)
    since = time.perf_counter()
    look(latent)
    return time.perf_counter() - since
