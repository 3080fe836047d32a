"""Pictures without a model: same seed, same picture. For tests whose subject is not the model."""

from __future__ import annotations

import colorsys
import io
import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpugen_protocol.request import ResolvedRequest
from gpugen_worker.generator import NOISE, Observer, Start

if TYPE_CHECKING:
    from PIL.Image import Image


class FakeGenerator:
    """Draws colour gradients, in as many steps as asked for.

    Args:
        models: the names it answers to.
        step_seconds: how long a step takes.
    """

    def __init__(self, models: tuple[str, ...], step_seconds: float = 0.01) -> None:
        self.models = models
        self.loaded: tuple[str, ...] = ()
        self._step_seconds = step_seconds

    def draw(self, request: ResolvedRequest, observer: Observer, start: Start = NOISE) -> Iterator[Image]:
        """As `Generator.draw`."""
        if request.model not in self.loaded:
            observer.phase("loading", f"Loading {request.model}")
            self.loaded = (*self.loaded, request.model)
        for index, seed in enumerate(request.seeds):
            picture = _gradient(request, seed)
            observer.phase("drawing", f"Drawing image {index + 1} of {request.n}")
            for step in range(1, request.steps + 1):
                time.sleep(self._step_seconds)
                observer.step(index, step, request.steps, self._step_seconds)
                if observer.wants_preview:
                    observer.preview(index, step, _jpeg(picture))
            observer.phase("decoding")
            yield picture


def _gradient(request: ResolvedRequest, seed: int) -> Image:
    from PIL import Image, ImageOps

    dice = random.Random(f"{request.prompt}|{seed}")  # noqa: S311 - a picture, no secret
    dark, light = (
        tuple(round(255 * part) for part in colorsys.hsv_to_rgb(dice.random(), 0.7, value))
        for value in (0.3, 0.95)
    )
    ramp = Image.linear_gradient("L").rotate(dice.randrange(360)).resize((request.width, request.height))
    return ImageOps.colorize(ramp, dark, light)


def _jpeg(picture: Image) -> bytes:
    small = picture.copy()
    small.thumbnail((128, 128))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG")
    return buffer.getvalue()
