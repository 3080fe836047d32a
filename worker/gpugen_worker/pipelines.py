"""Pipelines in memory: loaded once, kept as long as there is room, the least recently used dropped first."""

from __future__ import annotations

import gc
import hashlib
import inspect
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
from gpugen_worker.download import followed_loading
from gpugen_worker.folder import check_folder
from gpugen_worker.generator import DrawingFailed, Observer, Start
from gpugen_worker.hardware import Hardware
from gpugen_worker.hub import Hub
from gpugen_worker.known_words import KnownWords
from gpugen_worker.looks import find_look
from gpugen_worker.preview import Look

for library in (diffusers, transformers):
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()


@dataclass(frozen=True)
class Warm:
    """A loaded pipeline with the scheduler it came with; `look` makes its previews.

    `words` are all that it knows; None: anything.

    `revision` names its weights: the commit of a Hub model, a hash of those that are bundled.
    """

    pipeline: Any
    scheduler: Any
    look: Look | None
    words: KnownWords | None
    bytes: int
    revision: str = ""

    def pipeline_for(self, start: Start) -> Any:
        """The pipeline, or one of the same parts that starts from an image; the parts are not copied.

        Raises:
            DrawingFailed: diffusers has none for this class of pipeline.
        """
        if start.image is None:
            return self.pipeline
        name = type(self.pipeline).__name__
        kind = "Img2Img" if start.mask is None else "Inpaint"
        cls = getattr(diffusers, f"{name.removesuffix('Pipeline')}{kind}Pipeline", None)
        if cls is None:
            raise DrawingFailed(
                "not_supported",
                f"A {name} cannot start from {'an image' if start.mask is None else 'a masked image'}.",
                hint="Choose another model, or leave the image out.",
            )
        return _same_parts(self.pipeline, cls)


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
        with followed_loading(model.name, size, observer):
            pipeline = self._read(model, folder)
        observer.check()
        pipeline = self._place(pipeline, model)
        observer.check()
        look = find_look(model, pipeline, self._hub, self._hardware, observer)
        weights = _parameter_bytes(pipeline)
        words = KnownWords.read(folder, pipeline)
        return Warm(pipeline, pipeline.scheduler, look, words, weights, _revision(model, folder))

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


def _revision(model: Model, folder: Path) -> str:
    if not model.bundled:
        return folder.name if model.repository else ""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*/*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _same_parts(pipeline: Any, cls: Any) -> Any:
    """A pipeline of the class `cls` with the parts and settings of `pipeline`, as far as it has them.

    diffusers' own `from_pipe` would convert the weights, and leave out parts of a class it does not expect.
    """
    wanted = inspect.signature(cls).parameters
    given = {**pipeline.config, **pipeline.components}
    derived = cls(**{name: given[name] for name in wanted if name in given})
    derived.set_progress_bar_config(disable=True)
    return derived


def _parameter_bytes(pipeline: Any) -> int:
    modules = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    return sum(p.numel() * p.element_size() for module in modules for p in module.parameters())
