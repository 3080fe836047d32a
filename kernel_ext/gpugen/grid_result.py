"""The images of a grid, with the values each was drawn with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpugen.grid import label
from gpugen.result import Result
from gpugen_protocol.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image


class GridResult:
    """What came of every point of a grid, in its order: the last key changes fastest.

    Attributes:
        points: the values of every point by key.
        results: the images of every point.
    """

    def __init__(self, points: Sequence[Mapping[str, Any]], results: Sequence[Result]) -> None:
        self.points = [dict(point) for point in points]
        self.results = list(results)

    @property
    def images(self) -> list[Image]:
        """All images, point after point, as PIL images."""
        return [image for result in self.results for image in result.images]

    @property
    def tasks(self) -> list[Any]:
        """What the server knows of the tasks."""
        return [result.task for result in self.results]

    @property
    def seeds(self) -> list[int]:
        """The seed of every image."""
        return [seed for result in self.results for seed in result.seeds]

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with a row for each image: the values, seed, seconds, task and the image.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise MissingExtra(
                "A data frame needs pandas, which is not installed.", hint="Run: pip install pandas."
            ) from None
        return pandas.DataFrame(self._rows())

    def save(self, folder: str | Path = ".") -> list[Path]:
        """Write every image to `folder`; raises as `Result.save`."""
        return [path for result in self.results for path in result.save(folder)]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Result]]:
        return iter(zip(self.points, self.results, strict=True))

    def __repr__(self) -> str:
        keys = ", ".join(self.points[0]) if self.points else "nothing"
        return f"<gpugen.GridResult {len(self.seeds)} images over {keys}>"

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                **{key: label(value) if isinstance(value, tuple) else value for key, value in point.items()},
                "image_seed": seed,
                "seconds": result.task.timings.drawing,
                "task": result.task.id,
                "image": image,
            }
            for point, result in self
            for seed, image in zip(result.seeds, result.images, strict=True)
        ]
