from __future__ import annotations

import base64
import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.fakes import png_with_recipe

from gpugen.result import Result
from gpugen_client.tasks import Tasks
from gpugen_protocol.errors import NotFound
from gpugen_protocol.request import ResolvedRequest
from gpugen_protocol.task import Image as ImageRecord
from gpugen_protocol.task import Task
from gpugen_protocol.worker import Lease, WorkerTask

REQUEST = ResolvedRequest(
    prompt="a slice of pizza",
    model="emoji",
    width=64,
    height=32,
    steps=4,
    guidance=3.0,
    seed=7,
    n=3,
    scheduler="ddim",
)
LEASE = Lease(id="l", expires_in=60, task=WorkerTask(id="t", request=REQUEST, attempt=1, max_attempts=3))


class Pictures(Tasks):
    """Images without a server; counts how often each was fetched."""

    def __init__(self, recipes: bool = True) -> None:
        self.fetched: list[int] = []
        self.gone = False
        self._recipes = recipes

    def image(self, task: str, index: int) -> bytes:
        if self.gone:
            raise NotFound("Gone.")
        self.fetched.append(index)
        if self._recipes:
            return png_with_recipe(LEASE, index, REQUEST.seed + index)
        file = io.BytesIO()
        Image.new("RGB", (64, 32)).save(file, "PNG")
        return file.getvalue()


def task(n: int = 3) -> Task:
    images = tuple(
        ImageRecord(index=k, seed=7 + k, width=64, height=32, bytes=1, sha256="") for k in range(n)
    )
    return Task(
        id="t",
        state="succeeded",
        phase="done",
        request=REQUEST,
        user="u",
        created_at="",
        images=images,
    )


def test_images_are_fetched_when_they_are_looked_at_and_only_once() -> None:
    pictures = Pictures()
    result = Result(pictures, task())
    assert pictures.fetched == []
    assert [image.size for image in result.images] == [(64, 32)] * 3
    assert result.images[1] is result.images[1]
    result.png(1)
    assert pictures.fetched == [0, 1, 2]


def test_every_image_has_its_own_seed_and_recipe() -> None:
    result = Result(Pictures(), task())
    assert result.seeds == [7, 8, 9]
    assert [recipe.seed for recipe in result.recipes] == [7, 8, 9]
    assert result.recipe.revision == "1"
    assert result.recipe.prompt == "a slice of pizza"


def test_an_image_without_a_recipe_gets_that_of_its_task() -> None:
    recipe = Result(Pictures(recipes=False), task()).recipes[2]
    assert (recipe.seed, recipe.index, recipe.width, recipe.task) == (9, 2, 64, "t")


def test_there_is_no_image_beyond_the_last() -> None:
    with pytest.raises(IndexError, match="3 images"):
        Result(Pictures(), task()).png(3)
    assert Result(Pictures(), task()).png(-1) == Result(Pictures(), task()).png(2)


def test_saving_twice_keeps_both(tmp_path: Path) -> None:
    result = Result(Pictures(), task(2))
    assert [path.name for path in result.save(tmp_path)] == [
        "a-slice-of-pizza-7.png",
        "a-slice-of-pizza-8.png",
    ]
    second = result.save(str(tmp_path))
    assert [path.name for path in second] == ["a-slice-of-pizza-7-2.png", "a-slice-of-pizza-8-2.png"]
    assert second[0].read_bytes() == result.png(0)


def test_one_image_shows_itself_in_a_notebook() -> None:
    result = Result(Pictures(), task(1))
    bundle = result._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == result.png(0)
    assert "a slice of pizza" in bundle["text/plain"]


def test_several_images_show_themselves_side_by_side() -> None:
    html = Result(Pictures(), task())._repr_mimebundle_()["text/html"]
    assert html.count("<img ") == 3


def test_showing_a_result_whose_images_are_gone_does_not_raise() -> None:
    pictures = Pictures()
    pictures.gone = True
    assert list(Result(pictures, task())._repr_mimebundle_()) == ["text/plain"]


def test_without_pillow_the_error_names_what_to_install_and_the_bytes_still_work() -> None:
    program = """
import sys
from tests.kernel_ext.test_result import *
png = Pictures().image("t", 0)
sys.modules["PIL"] = None
class Ready(Tasks):
    def __init__(self): pass
    def image(self, task, index): return png
result = Result(Ready(), task(1))
assert result.png() == png
assert result.recipe.seed == 7
try:
    result.images
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.stdout.startswith("MissingExtra"), done.stderr
    assert "pip install pillow" in done.stdout
