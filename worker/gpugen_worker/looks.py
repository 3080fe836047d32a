"""How previews are made: by the tiny autoencoder that the registry names, else by a linear fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpugen_protocol.models import Model
from gpugen_worker.generator import DrawingFailed, Observer
from gpugen_worker.hardware import Hardware
from gpugen_worker.hub import Hub
from gpugen_worker.preview import LinearLook, Look, fit_factors
from gpugen_worker.tiny_decoder import read_tiny_decoder


def find_look(model: Model, pipeline: Any, hub: Hub, hardware: Hardware, observer: Observer) -> Look | None:
    """The best there is; None where nothing fits. Never fails a task: a preview is a courtesy."""
    if model.tiny_autoencoder:
        try:
            return _tiny(model.tiny_autoencoder, pipeline, hub, hardware)
        except (DrawingFailed, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            observer.log("info", f"Previews are coarse: {model.tiny_autoencoder} was not loaded: {reason}")
    factors = fit_factors(pipeline)
    return None if factors is None else LinearLook(factors)


def _tiny(place: str, pipeline: Any, hub: Hub, hardware: Hardware) -> Look:
    folder = Path(place)
    if not folder.is_absolute():
        folder = hub.part(place)
    config = pipeline.vae.config
    channels = config.get("latent_channels") or config.get("z_dim")
    return read_tiny_decoder(folder, channels, hardware.device, hardware.dtype)
