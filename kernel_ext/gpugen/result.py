"""The images of a task that succeeded: fetched when they are first looked at, and kept."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpugen.recipes import read_recipe
from gpugen.save import file_stem, write_new
from gpugen_client.tasks import Tasks
from gpugen_protocol import __version__
from gpugen_protocol.errors import MissingExtra
from gpugen_protocol.recipe import Recipe
from gpugen_protocol.task import Image as ImageRecord
from gpugen_protocol.task import Task

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_MAX_SHOWN = 8_000_000  # bytes of images that a notebook cell is given without asking


class Result:
    """The finished images of `task`.

    Args:
        fetched: the PNG bytes of images that are already here, by index.

    Attributes:
        task: what the server knows of the task: its resolved request, timings, worker.
    """

    def __init__(self, api: Tasks, task: Task, fetched: Mapping[int, bytes] | None = None) -> None:
        self._api = api
        self._fetched = dict(fetched or {})
        self.task = task

    def png(self, index: int = 0) -> bytes:
        """Image `index` as the bytes of a PNG file.

        Raises:
            IndexError: there is no such image.
        """
        image = self._entry(index)
        if image.index not in self._fetched:
            self._fetched[image.index] = self._api.image(self.task.id, image.index)
        return self._fetched[image.index]

    @cached_property
    def images(self) -> list[PilImage]:
        """All images, as PIL images.

        Raises:
            MissingExtra: Pillow is not installed.
        """
        return [_open(self.png(position)) for position in range(len(self))]

    @property
    def seeds(self) -> list[int]:
        """The seed of every image, in order: each alone draws its image again."""
        return [image.seed for image in self.task.images]

    @property
    def recipe(self) -> Recipe:
        """What the first image was drawn from."""
        return self.recipes[0]

    @cached_property
    def recipes(self) -> list[Recipe]:
        """What every image was drawn from: read from the image, else put together from the task."""
        return [
            read_recipe(self.png(position)) or self._recipe_of(image)
            for position, image in enumerate(self.task.images)
        ]

    def save(self, folder: str | Path = ".") -> list[Path]:
        """Write every image to `folder` as `a-slice-of-pizza-7.png`; no file that is there is touched.

        Raises:
            SaveFailed: the disk is full, the folder cannot be written, ...; no half-written file is left.
        """
        place, prompt = Path(folder).expanduser(), self.task.request.prompt
        return [
            write_new(place, file_stem(prompt, image.seed), self.png(position))
            for position, image in enumerate(self.task.images)
        ]

    def __len__(self) -> int:
        return len(self.task.images)

    def __repr__(self) -> str:
        request = self.task.request
        count = f"{len(self)} image{'s' if len(self) != 1 else ''}"
        size = f"{request.width}x{request.height}"
        return f"<gpugen.Result {count} of {request.prompt!r}, {size}, seeds {self.seeds}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """One image as it is, several side by side; the words alone when the images cannot be had."""
        bundle = {"text/plain": repr(self)}
        try:
            pngs = [self.png(position) for position in range(len(self))]
        except Exception:  # a display hook must not raise: the words will do
            return bundle
        if len(pngs) == 1:
            bundle["image/png"] = base64.b64encode(pngs[0]).decode()
        elif sum(map(len, pngs)) <= _MAX_SHOWN:
            bundle["text/html"] = "".join(map(_tag, pngs, self.seeds))
        return bundle

    def _entry(self, index: int) -> ImageRecord:
        try:
            return self.task.images[index]
        except IndexError:
            raise IndexError(
                f"Task {self.task.id} has {len(self)} images; there is no number {index}."
            ) from None

    def _recipe_of(self, image: ImageRecord) -> Recipe:
        request = self.task.request
        return Recipe(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            model=request.model,
            revision="",
            width=request.width,
            height=request.height,
            steps=request.steps,
            guidance=request.guidance,
            scheduler=request.scheduler,
            seed=image.seed,
            n=request.n,
            index=image.index,
            init_image=request.init_image,
            mask_image=request.mask_image,
            strength=request.strength,
            task=self.task.id,
            gpugen=__version__,
        )


def _open(png: bytes) -> PilImage:
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise MissingExtra(
            "Images as PIL objects need Pillow, which is not installed.",
            hint="Run: pip install pillow. `.png(0)` and `.save()` work without it.",
        ) from None
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


def _tag(png: bytes, seed: int) -> str:
    data = base64.b64encode(png).decode()
    title = html.escape(f"seed {seed}", quote=True)
    return f'<img src="data:image/png;base64,{data}" alt="{title}" title="{title}" style="margin: 2px"/>'
