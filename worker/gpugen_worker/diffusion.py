"""Drawing with diffusers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Switches of the libraries, each read once when its library is loaded.
os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "true"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
# Threads that wait must sleep, not spin: on a CPU that others use too, spinning made a step 25 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from msgspec import structs
from PIL import Image

from gpugen_protocol.models import Model
from gpugen_protocol.request import ResolvedRequest
from gpugen_worker.canvas import Canvas
from gpugen_worker.families import call_arguments, unread_text
from gpugen_worker.generator import NOISE, DrawingFailed, Observer, Start, note_revision
from gpugen_worker.hardware import Hardware, find_hardware
from gpugen_worker.hub import Hub
from gpugen_worker.known_words import Swap
from gpugen_worker.pipelines import Pipelines, Warm
from gpugen_worker.preview import preview_picture, small_jpeg
from gpugen_worker.schedulers import build_scheduler


class DiffusionGenerator:
    """Draws with the pipelines of `models`.

    Args:
        models: what it may be asked for.
        data_dir: where the commits of Hub models are recorded.
        batch: images drawn in one pass; more is faster on a large GPU, and pixels then differ a little.
        hardware: found by itself when left out.
    """

    def __init__(
        self, models: tuple[Model, ...], *, data_dir: Path, batch: int = 1, hardware: Hardware | None = None
    ) -> None:
        self._models = {model.name: model for model in models}
        self._batch = batch
        self._pipelines = Pipelines(hardware or find_hardware(), Hub(data_dir / "revisions.json"))

    @property
    def models(self) -> tuple[str, ...]:
        """What it may be asked for."""
        return tuple(self._models)

    @property
    def loaded(self) -> tuple[str, ...]:
        """What is in memory."""
        return self._pipelines.names

    def draw(
        self, request: ResolvedRequest, observer: Observer, start: Start = NOISE
    ) -> Iterator[Image.Image]:
        """As `Generator.draw`; one after the other unless `batch` says more."""
        model = self._models.get(request.model)
        if model is None:
            raise DrawingFailed("model_missing", f"This worker does not serve the model {request.model}.")
        warm = self._pipelines.get(model, observer)
        request = self._with_known_words(model, warm, request, observer)
        self._warn_of_unread(model, warm, request, observer)
        canvas = Canvas.of(model, request, start)
        if canvas.scales:
            observer.log("warning", _scaled(model.name, canvas))
        request = canvas.request(request)
        for first in range(0, request.n, self._batch):
            images = range(first, min(first + self._batch, request.n))
            yield from self._draw_together(Drawing(model, warm, request, observer, images, canvas))

    def _draw_together(self, drawing: Drawing) -> list[Image.Image]:
        try:
            return drawing.run()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_memory(error):
                raise
        drawing.observer.log("warning", "Out of memory: trying again in smaller pieces, which is slower.")
        self._pipelines.drop_others(drawing.model.name)
        drawing.save_memory()
        try:
            return drawing.run()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_memory(error):
                raise
            raise DrawingFailed(
                "out_of_memory",
                f"There is not enough memory for {drawing.request.width}x{drawing.request.height} "
                f"with {drawing.model.name}.",
                hint="Ask for a smaller size, or use a worker with more memory.",
            ) from None

    def _warn_of_unread(self, model: Model, warm: Warm, request: ResolvedRequest, observer: Observer) -> None:
        for what, text in (("prompt", request.prompt), ("negative prompt", request.negative_prompt)):
            unread = unread_text(model, warm.pipeline, text) if text else ""
            if unread:
                observer.log("warning", f"The {what} is longer than {model.name} reads. Not read: {unread}")

    def _with_known_words(
        self, model: Model, warm: Warm, request: ResolvedRequest, observer: Observer
    ) -> ResolvedRequest:
        """Of words that it does not know, a model that knows few would draw a blur."""
        words = warm.words
        if words is None:
            return request
        prompt = words.spelled(request.prompt)
        if swap := words.swap(prompt):
            observer.log("warning", _swapped(model.name, swap))
            prompt = swap.in_prompt(prompt)
        if remark := _not_drawn(model.name, words.named(prompt), words.left_out(prompt)):
            observer.log("warning", remark)
        negative = words.plain(request.negative_prompt)
        return structs.replace(request, prompt=words.plain(prompt), negative_prompt=negative)


def _scaled(model: str, canvas: Canvas) -> str:
    (width, height), (drawn_width, drawn_height) = canvas.asked, canvas.drawn
    where = ", in the middle of its ground" if width != height else ""
    return (
        f"{model} draws at {drawn_width} x {drawn_height}; "
        f"the picture is scaled to {width} x {height}{where}."
    )


def _swapped(model: str, swap: Swap) -> str:
    return (
        f"{model} does not know “{swap.word}”: it draws the nearest that it knows, “{swap.known}”. "
        f"`gpugen models {model}` lists what it draws."
    )


def _not_drawn(model: str, named: list[str], left_out: list[str]) -> str:
    """What will be missing; empty where nothing is."""
    if not named:
        return f"{_unknown(model, left_out)} `gpugen models {model}` lists what it draws."
    remarks = []
    if left_out:
        remarks.append(f"{model} does not know, and leaves out: {', '.join(left_out)}.")
    if len(named) > 1:
        remarks.append(f"{model} draws one thing at a time, and here are {len(named)}: {', '.join(named)}.")
    return " ".join(remarks)


def _unknown(model: str, words: list[str]) -> str:
    if not words:
        return f"The prompt names nothing that {model} could draw."
    quoted = ", ".join(f"“{word}”" for word in words)
    return f"{model} does not know {quoted} and cannot draw {'it' if len(words) == 1 else 'them'}."


class Drawing:
    """One call of a pipeline: the images with the indices `images` of `request`, which is for `canvas`."""

    def __init__(
        self,
        model: Model,
        warm: Warm,
        request: ResolvedRequest,
        observer: Observer,
        images: range,
        canvas: Canvas,
    ) -> None:
        self.model = model
        self.request = request
        self.observer = observer
        self._warm = warm
        self._images = images
        self._canvas = canvas
        self._seconds_per_step = 0.0
        self._since = 0.0

    def run(self) -> list[Image.Image]:
        """The images.

        Raises:
            DrawingFailed: the model gave no picture.
            Interrupted: the observer said so, at the end of a step.
        """
        self.observer.check()
        self.observer.phase("drawing", self._title("Drawing") or "Drawing", image=self._images[0])
        pipeline = self._warm.pipeline_for(self._canvas.start)
        pipeline.scheduler = build_scheduler(self.request.scheduler, self._warm.scheduler)
        self._since = time.perf_counter()
        output = pipeline(
            **call_arguments(self.model, self.request, self._canvas.start),
            num_images_per_prompt=len(self._images),
            generator=[torch.Generator("cpu").manual_seed(self.request.seeds[k]) for k in self._images],
            callback_on_step_end=self._on_step,
            callback_on_step_end_tensor_inputs=["latents"],
        )
        return [self._picture(pixels, output) for pixels in output.images]

    def save_memory(self) -> None:
        """Trade speed for memory from now on."""
        pipeline = self._warm.pipeline
        pipeline.enable_attention_slicing()
        for name in ("enable_slicing", "enable_tiling"):
            getattr(pipeline.vae, name, lambda: None)()

    def _title(self, doing: str) -> str:
        """Which of several images; empty for the only one."""
        if self.request.n == 1:
            return ""
        numbers = " and ".join(str(k + 1) for k in self._images)
        return f"{doing} image {numbers} of {self.request.n}"

    def _on_step(self, pipeline: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """Some schedulers call more often than there are steps (Heun twice): told in the steps asked for."""
        calls = pipeline.num_timesteps
        steps = self.request.drawn_steps
        step = min(steps, (index + 1) * steps // calls) if calls >= steps else min(steps, index + 1)
        self._measure(index, calls)
        self.observer.step(self._images[-1], step, steps, self._seconds_per_step)
        if index + 1 == calls:
            self.observer.phase("decoding", self._title("Finishing"), image=self._images[0])
        elif self._warm.look is not None and self.observer.wants_preview:
            self._preview(pipeline, step, tensors["latents"])
        return tensors

    def _measure(self, index: int, calls: int) -> None:
        """The mean of what a step took, later ones weighing more."""
        now = time.perf_counter()
        seconds = (now - self._since) * calls / self.request.drawn_steps
        self._seconds_per_step = seconds if index == 0 else 0.7 * self._seconds_per_step + 0.3 * seconds
        self._since = now

    def _preview(self, pipeline: Any, step: int, latents: torch.Tensor) -> None:
        """Never fails the task: a preview is a courtesy."""
        assert self._warm.look is not None
        _wait_for_device(latents)
        since = time.perf_counter()
        try:
            if latents.ndim == 3:  # packed in patches of 2 x 2
                latents = pipeline._unpack_latents(
                    latents, self.request.height, self.request.width, pipeline.vae_scale_factor
                )
            if latents.ndim == 5:  # of a video: its only frame
                latents = latents[:, :, 0]
            picture = preview_picture(latents, self._warm.look)
            jpeg = small_jpeg(self._canvas.preview(picture))
        except (RuntimeError, ValueError, TypeError, AttributeError):
            return
        self.observer.preview(self._images[0], step, jpeg, time.perf_counter() - since)

    def _picture(self, pixels: np.ndarray, output: Any) -> Image.Image:
        bytes_ = (np.nan_to_num(pixels) * 255).round().astype("uint8")
        if not np.isfinite(pixels).all() or not bytes_.any():
            raise self._no_picture(pixels, output)
        return note_revision(self._canvas.picture(Image.fromarray(bytes_)), self._warm.revision)

    def _no_picture(self, pixels: np.ndarray, output: Any) -> DrawingFailed:
        if any(getattr(output, "nsfw_content_detected", None) or ()):
            return DrawingFailed(
                "invalid_image",
                f"The safety checker of {self.model.name} withheld the image.",
                hint="Change the prompt or the seed.",
            )
        what = "is all black" if np.isfinite(pixels).all() else "holds values that are no numbers"
        return DrawingFailed(
            "invalid_image",
            f"What {self.model.name} drew {what}.",
            hint="Half precision may overflow in its autoencoder: use a variant with a fixed one, "
            "less guidance, or another scheduler.",
        )


def _wait_for_device(latents: torch.Tensor) -> None:
    """Let the step itself end, whose time is not the preview's."""
    if latents.device.type in {"cuda", "mps"}:  # not tried: needs a GPU
        getattr(torch, latents.device.type).synchronize()


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "not enough memory" in str(error) or "can't allocate memory" in str(error)
