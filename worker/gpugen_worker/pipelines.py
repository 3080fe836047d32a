"""Pipelines in memory: loaded once, kept as long as there is room, the least recently used dropped first."""

from __future__ import annotations

import gc
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import psutil
import torch
import transformers

from gpugen_protocol.models import Model
from gpugen_worker.choice import local_folder
from gpugen_worker.folder import check_folder
from gpugen_worker.generator import DrawingFailed, Observer
from gpugen_worker.hub import Hub
from gpugen_worker.known_words import KnownWords
from gpugen_worker.preview import Factors, fit_factors

for library in (diffusers, transformers):
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()


@dataclass(frozen=True)
class Hardware:
    """Where tensors live and in which precision; `memory_bytes` is all that the device has."""

    device: str
    dtype: torch.dtype
    memory_bytes: int


def find_hardware() -> Hardware:
    """CUDA in bfloat16 (float16 where the GPU has none), else Apple's GPU, else the CPU in float32."""
    if torch.cuda.is_available():  # not tried: needs a GPU
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return Hardware("cuda", dtype, torch.cuda.get_device_properties(0).total_memory)
    memory = psutil.virtual_memory().total
    if torch.backends.mps.is_available():  # not tried: needs a Mac
        return Hardware("mps", torch.float16, memory)
    return Hardware("cpu", torch.float32, memory)


@dataclass(frozen=True)
class Warm:
    """A loaded pipeline with its scheduler; `factors` colour its previews, `words` are all that it knows."""

    pipeline: Any
    scheduler: Any
    factors: Factors | None
    words: KnownWords | None
    bytes: int


class Pipelines:
    """Gives pipelines by model.

    Args:
        hardware: what to load them on.
        hub: where Hub models come from.
        budget: bytes of weights to keep; by default four fifths of the device's memory, half of a CPU's.
    """

    def __init__(self, hardware: Hardware, hub: Hub, budget: int = 0) -> None:
        self._hardware = hardware
        self._hub = hub
        share = 0.8 if hardware.device == "cuda" else 0.5
        self._budget = budget or int(hardware.memory_bytes * share)
        self._warm: OrderedDict[str, Warm] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """What is in memory, the last used one last."""
        return tuple(self._warm)

    def get(self, model: Model, observer: Observer) -> Warm:
        """The pipeline of `model`, loaded if it is not in memory.

        Raises:
            DrawingFailed: it cannot be loaded; the code and the hint say why and what to do.
            Interrupted: the observer said so.
        """
        if model.name not in self._warm:
            self._warm[model.name] = self._load(model, observer)
        self._warm.move_to_end(model.name)
        return self._warm[model.name]

    def drop_others(self, name: str) -> None:
        """Free the memory of all but `name`."""
        for other in [found for found in self._warm if found != name]:
            del self._warm[other]
        self._collect()

    def _load(self, model: Model, observer: Observer) -> Warm:
        observer.phase("loading", f"Loading {model.name}")
        self._check_memory(model)
        folder = local_folder(model) or self._hub.folder(model, observer)
        observer.check()  # between all that takes long: a canceled task must not wait for the rest
        size = check_folder(model.name, folder, model.variant)
        observer.phase("loading", f"Loading {model.name}", bytes=size)
        self._make_room(size)
        observer.check()
        pipeline = self._read(model, folder)
        observer.check()
        pipeline = self._place(pipeline, model)
        observer.check()
        words = KnownWords.read(folder, pipeline)
        return Warm(pipeline, pipeline.scheduler, fit_factors(pipeline), words, _parameter_bytes(pipeline))

    def _read(self, model: Model, folder: Path) -> Any:
        try:
            pipeline = diffusers.DiffusionPipeline.from_pretrained(
                folder,
                dtype=self._hardware.dtype,
                variant=model.variant or None,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DrawingFailed(
                "model_incomplete",
                f"{model.name} could not be loaded: {first}",
                hint="Download it again, or look whether its pipeline needs a newer diffusers.",
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _place(self, pipeline: Any, model: Model) -> Any:
        if self._hardware.device == "cuda" and model.memory_bytes > self._hardware.memory_bytes:
            pipeline.enable_model_cpu_offload()  # not tried: needs a GPU
            return pipeline
        return pipeline.to(self._hardware.device)

    def _check_memory(self, model: Model) -> None:
        """Refuse before a download of many gigabytes what would end in the kernel killing this process."""
        ram = max(self._hardware.memory_bytes, psutil.virtual_memory().total)
        if model.memory_bytes > ram:
            raise DrawingFailed(
                "out_of_memory",
                f"{model.name} needs about {model.memory_bytes / 1e9:.0f} GB; "
                f"this worker's machine has {ram / 1e9:.0f} GB.",
                hint="Use a smaller model, or a worker with more memory.",
            )

    def _make_room(self, size: int) -> None:
        while self._warm and sum(warm.bytes for warm in self._warm.values()) + size > self._budget:
            self._warm.popitem(last=False)
            self._collect()

    def _collect(self) -> None:
        gc.collect()
        if self._hardware.device == "cuda":
            torch.cuda.empty_cache()


def _parameter_bytes(pipeline: Any) -> int:
    modules = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    return sum(p.numel() * p.element_size() for module in modules for p in module.parameters())
