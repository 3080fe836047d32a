"""The recipe of an image: all that is needed to draw it again. It travels inside the PNG."""

from __future__ import annotations

from msgspec import Struct

RECIPE_KEY = "gpugen"  # the PNG text chunk with our own JSON
PARAMETERS_KEY = "parameters"  # the PNG text chunk that AUTOMATIC1111's tools read


class Recipe(Struct, frozen=True, kw_only=True):
    """What image `index` of task `task` was drawn from.

    `seed` is the image's own. `reported` is what the worker said of its device and libraries: not checked.
    """

    prompt: str
    negative_prompt: str
    model: str
    revision: str
    width: int
    height: int
    steps: int
    guidance: float
    scheduler: str
    seed: int
    n: int
    index: int
    task: str
    gpugen: str
    init_image: str | None = None
    mask_image: str | None = None
    strength: float | None = None
    reported: dict[str, str] = {}

    def parameters(self) -> str:
        """The recipe as the text that AUTOMATIC1111's web UI writes and many tools read."""
        negative = f"\nNegative prompt: {self.negative_prompt}" if self.negative_prompt else ""
        strength = f"Denoising strength: {self.strength:g}, " if self.strength is not None else ""
        return (
            f"{self.prompt}{negative}\n"
            f"Steps: {self.steps}, Sampler: {self.scheduler}, CFG scale: {self.guidance:g}, "
            f"Seed: {self.seed}, Size: {self.width}x{self.height}, Model: {self.model}, "
            f"{strength}Version: gpugen"
        )
