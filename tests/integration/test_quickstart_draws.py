"""The quickstart with nothing replaced: private server, worker process, the bundled model."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageStat
from tests.notebooks.running import cell_with, execute, forms, fresh_user

from gpugen.recipes import read_recipe


@pytest.mark.timeout(600)
def test_it_draws_real_pictures_that_carry_their_recipes(short_tmp: Path, tmp_path: Path) -> None:
    with fresh_user(short_tmp / "real", GPUGEN_IDLE_EXIT="60") as environment:
        notebook = execute(environment, tmp_path, timeout=300)

    pngs = sorted((tmp_path / "gpugen-images").glob("*.png"))
    recipes = [read_recipe(path.read_bytes()) for path in pngs]
    assert [recipe and recipe.seed for recipe in recipes] == [11, 12, 13, 14]
    assert all(recipe and recipe.model == "emoji" for recipe in recipes)
    for path in pngs:
        image = Image.open(io.BytesIO(path.read_bytes()))
        assert image.size == (128, 128)
        assert max(ImageStat.Stat(image.convert("RGB")).stddev) > 5, f"{path} is all one colour"
    assert any("image/png" in form for form in forms(cell_with(notebook, "a slice of pizza")))
