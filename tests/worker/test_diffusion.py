"""Drawing with real pipelines of the classes that the registry's models have."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.worker.conftest import SCHEDULERS
from tests.worker.recording import Recording

from gpugen_protocol.models import Model, parse_registry
from gpugen_protocol.request import ResolvedRequest
from gpugen_worker.diffusion import DiffusionGenerator
from gpugen_worker.generator import NOISE, DrawingFailed, Interrupted, Start

FAMILIES = ("sd", "sdxl", "sd3", "flux", "qwen-image", "z-image")
BATCH_TOLERANCE = 2  # of 255; measured: 1 on the bundled model, 20 steps, batches of 1 and 4


@pytest.fixture(scope="module")
def draw(
    tiny_model: Callable[[str], Model],
    a_request: Callable[..., ResolvedRequest],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., tuple[list[np.ndarray], Recording]]:
    """`draw(family, batch=1, observer=None, **request)`: the images as arrays, and what was observed."""
    data = tmp_path_factory.mktemp("data")
    generators: dict[tuple[str, int], DiffusionGenerator] = {}

    def draw(
        family: str,
        batch: int = 1,
        observer: Recording | None = None,
        start: Start = NOISE,
        **request: Any,
    ) -> tuple[list[np.ndarray], Recording]:
        model, observer = tiny_model(family), observer or Recording()
        key = (family, batch)
        if key not in generators:
            generators[key] = DiffusionGenerator((model,), data_dir=data, batch=batch)
        images = generators[key].draw(a_request(model, **request), observer, start)
        return [np.array(image) for image in images], observer

    return draw


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pipeline_of_each_family_is_loaded_and_draws_what_the_request_says(draw: Any, family: str) -> None:
    (first, second), seen = draw(family, n=2, width=32, height=64, steps=3)
    assert first.shape == second.shape == (64, 32, 3)
    assert first.std() > 1
    assert seen.steps == [(0, 1, 3), (0, 2, 3), (0, 3, 3), (1, 1, 3), (1, 2, 3), (1, 3, 3)]
    assert [phase for phase, _ in seen.phases][-4:] == ["drawing", "decoding", "drawing", "decoding"]
    assert not seen.logs


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_request_gives_the_same_pixels_and_image_k_is_the_image_of_its_seed_alone(
    draw: Any, family: str
) -> None:
    (first, second), _ = draw(family, n=2)
    again, _ = draw(family, n=2)
    (alone,), _ = draw(family, seed=8)
    assert np.array_equal([first, second], again)
    assert np.array_equal(second, alone)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_to_start_from_stands_for_the_first_steps(draw: Any, family: str) -> None:
    start = Start(Image.new("RGB", (32, 64), "red"))
    asked = {"width": 32, "height": 64, "steps": 4, "init_image": "0" * 26, "strength": 0.5}
    (first,), seen = draw(family, start=start, **asked)
    assert first.shape == (64, 32, 3)
    assert seen.steps == [(0, 1, 2), (0, 2, 2)]
    (again,), _ = draw(family, start=start, **asked)
    (other,), _ = draw(family, start=Start(Image.new("RGB", (32, 64), "blue")), **asked)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("family", [each for each in FAMILIES if each != "sd3"])  # insists on 16 channels
def test_a_mask_says_where_it_draws(draw: Any, family: str) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (32, 0, 64, 64))
    start = Start(Image.new("RGB", (64, 64), "red"), mask)
    ids = {"init_image": "0" * 26, "mask_image": "0" * 26, "strength": 1.0}
    (image,), seen = draw(family, start=start, width=64, height=64, steps=3, **ids)
    assert image.shape == (64, 64, 3)
    assert seen.steps[-1] == (0, 3, 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_previews_are_small_pictures_of_the_right_shape(draw: Any, family: str) -> None:
    _, seen = draw(family, width=32, height=64, steps=3)
    assert len(seen.previews) == 2  # none for the last step: the image itself comes next
    for jpeg in seen.previews:
        assert len(jpeg) <= 16 * 1024
        picture = Image.open(io.BytesIO(jpeg))
        assert (picture.format, picture.size) == ("JPEG", (64, 128))


def test_nobody_who_does_not_look_pays_for_previews(draw: Any) -> None:
    _, seen = draw("sd", observer=Recording(wants_preview=False))
    assert seen.previews == []


@pytest.mark.parametrize("family", FAMILIES)
def test_an_interrupted_drawing_stops_within_one_step_and_the_next_one_is_not_harmed(
    draw: Any, family: str
) -> None:
    before, _ = draw(family, steps=4)
    observer = Recording(stop_after=2)
    with pytest.raises(Interrupted):
        draw(family, steps=4, observer=observer)
    assert len(observer.steps) == 2
    after, _ = draw(family, steps=4)
    assert np.array_equal(before, after)


@pytest.mark.parametrize("scheduler", SCHEDULERS["sd"])
def test_every_scheduler_draws_and_counts_the_steps_that_were_asked_for(draw: Any, scheduler: str) -> None:
    (image,), seen = draw("sd", scheduler=scheduler, steps=5)
    (again,), _ = draw("sd", scheduler=scheduler, steps=5)
    assert image.std() > 1
    assert np.array_equal(image, again)
    counted = [step for _, step, steps in seen.steps if steps == 5]
    assert counted == sorted(counted)
    assert counted[-1] == 5


@pytest.mark.parametrize("scheduler", SCHEDULERS["sdxl"])
def test_sdxl_draws_with_every_scheduler_it_offers(draw: Any, scheduler: str) -> None:
    (image,), _ = draw("sdxl", scheduler=scheduler)
    assert image.std() > 1


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_few_steps_are_no_trouble_for_any_scheduler(draw: Any, steps: int) -> None:
    for scheduler in SCHEDULERS["sd"]:
        (image,), _ = draw("sd", scheduler=scheduler, steps=steps)
        assert image.std() > 1


@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3", "qwen-image", "z-image"])
def test_a_negative_prompt_and_guidance_change_the_image(draw: Any, family: str) -> None:
    (plain,), _ = draw(family)
    (negative,), _ = draw(family, negative_prompt="blue sky")
    (stronger,), _ = draw(family, guidance=9.0)
    assert not np.array_equal(plain, negative)
    assert not np.array_equal(plain, stronger)


def test_guidance_zero_works(draw: Any) -> None:
    for family in FAMILIES:
        (image,), _ = draw(family, guidance=0.0)
        assert image.std() > 1


def test_batches_change_pixels_only_within_the_measured_tolerance(draw: Any) -> None:
    one_by_one, _ = draw("sd", n=4, steps=10)
    together, seen = draw("sd", batch=4, n=4, steps=10)
    apart = np.abs(np.array(one_by_one, dtype=int) - np.array(together, dtype=int)).max()
    assert apart <= BATCH_TOLERANCE
    assert seen.phases[-2:] == [
        ("drawing", "Drawing image 1 and 2 and 3 and 4 of 4"),
        ("decoding", "Finishing image 1 and 2 and 3 and 4 of 4"),
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_end_of_a_prompt_that_is_not_read_is_named(draw: Any, family: str) -> None:
    _, seen = draw(family, prompt="cat sea house " * 60 + "and a dog")
    ((level, message),) = seen.logs
    assert level == "warning"
    assert f"longer than tiny-{family} reads" in message
    assert message.endswith("and a dog")


def test_a_prompt_of_exactly_what_the_encoder_reads_is_not_complained_about(draw: Any) -> None:
    _, seen = draw("sd", prompt="cat " * 75)
    assert seen.logs == []
    _, seen = draw("sd", prompt="cat " * 75 + "dog", negative_prompt="cat " * 75 + "sky")
    assert [message.rsplit(": ")[1] for _, message in seen.logs] == ["dog", "sky"]


def test_a_second_request_finds_the_pipeline_warm(draw: Any) -> None:
    draw("sd")
    _, seen = draw("sd")
    assert [phase for phase, _ in seen.phases] == ["drawing", "decoding"]


def _generator(model: Model, tmp_path: Path) -> tuple[DiffusionGenerator, Any]:
    """A generator, and its pipeline to break."""
    generator = DiffusionGenerator((model,), data_dir=tmp_path)
    return generator, generator._pipelines.get(model, Recording()).pipeline


@pytest.mark.parametrize(
    ("broken", "what"), [(float("nan"), "no numbers"), (-1e9, "all black")], ids=["NaN", "black"]
)
def test_an_output_that_is_no_picture_fails_with_a_sentence_and_a_hint(
    tiny_model: Any, a_request: Any, tmp_path: Path, broken: float, what: str
) -> None:
    model = tiny_model("sd")
    generator, pipeline = _generator(model, tmp_path)
    pipeline.vae.decoder.conv_out.bias.data.fill_(broken)
    with pytest.raises(DrawingFailed) as caught:
        list(generator.draw(a_request(model), Recording()))
    assert caught.value.failure == "invalid_image"
    assert what in caught.value.message
    assert "autoencoder" in caught.value.hint


def test_running_out_of_memory_is_tried_again_in_smaller_pieces_then_fails_with_a_hint(
    tiny_model: Any, a_request: Any, tmp_path: Path
) -> None:
    model = tiny_model("sd")
    generator, pipeline = _generator(model, tmp_path)
    tries = []

    def burst(*_: Any) -> None:
        tries.append(pipeline.vae.use_tiling)
        raise torch.OutOfMemoryError("no room")

    pipeline.unet.register_forward_pre_hook(burst)
    seen = Recording()
    with pytest.raises(DrawingFailed) as caught:
        list(generator.draw(a_request(model), seen))
    assert caught.value.failure == "out_of_memory"
    assert "smaller size" in caught.value.hint
    assert tries == [False, True]
    assert "Out of memory" in seen.logs[0][1]


def test_a_real_shortage_of_memory_on_the_cpu_is_recognised(
    tiny_model: Any, a_request: Any, tmp_path: Path
) -> None:
    model = tiny_model("sd")
    generator, pipeline = _generator(model, tmp_path)
    pipeline.unet.register_forward_pre_hook(lambda *_: torch.empty(2**62, dtype=torch.uint8))
    with pytest.raises(DrawingFailed) as caught:
        list(generator.draw(a_request(model), Recording()))
    assert caught.value.failure == "out_of_memory"


def test_a_model_that_is_not_served_is_refused(tiny_model: Any, a_request: Any, tmp_path: Path) -> None:
    generator = DiffusionGenerator((), data_dir=tmp_path)
    with pytest.raises(DrawingFailed, match="does not serve"):
        list(generator.draw(a_request(tiny_model("sd")), Recording()))


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, DiffusionGenerator]:
    model = parse_registry({}).get("emoji")
    return model, DiffusionGenerator((model,), data_dir=tmp_path_factory.mktemp("data"))


def test_the_bundled_model_draws_the_same_picture_twice_with_previews(bundled: Any, a_request: Any) -> None:
    model, generator = bundled
    request = a_request(model, prompt="a slice of pizza", steps=model.steps)
    seen = Recording()
    (first,) = generator.draw(request, seen)
    (again,) = generator.draw(request, Recording(wants_preview=False))
    assert first.size == (model.width, model.height)
    assert np.array_equal(np.array(first), np.array(again))
    assert len(seen.previews) == model.steps - 1


def test_the_last_preview_of_the_bundled_model_looks_like_its_image(bundled: Any, a_request: Any) -> None:
    model, generator = bundled
    seen = Recording()
    (image,) = generator.draw(a_request(model, prompt="a red apple", steps=model.steps), seen)
    preview = Image.open(io.BytesIO(seen.previews[-1]))
    small = [
        np.array(picture.convert("RGB").resize((8, 8), Image.Resampling.BOX)).ravel()
        for picture in (image, preview)
    ]
    assert np.corrcoef(*small)[0, 1] > 0.6


def test_batches_of_the_bundled_model_differ_within_the_measured_tolerance(
    bundled: Any, a_request: Any, tmp_path: Path
) -> None:
    model, generator = bundled
    request = a_request(model, prompt="a dog", n=4, steps=model.steps)
    together = DiffusionGenerator((model,), data_dir=tmp_path, batch=4)
    one, four = (
        [np.array(i, dtype=int) for i in g.draw(request, Recording())] for g in (generator, together)
    )
    assert np.abs(np.array(one) - np.array(four)).max() <= BATCH_TOLERANCE


@pytest.mark.parametrize("scheduler", parse_registry({}).get("emoji").schedulers)
def test_every_scheduler_of_the_bundled_model_draws_pizza_on_clean_white(
    bundled: Any, a_request: Any, scheduler: str
) -> None:
    model, generator = bundled
    request = a_request(
        model,
        prompt="a slice of pizza",
        scheduler=scheduler,
        steps=model.steps,
        guidance=model.guidance,
        seed=7,
    )
    (image,) = generator.draw(request, Recording(wants_preview=False))
    pixels = np.array(image)
    assert pixels[:8, :8].mean() > 245, "the corner is white"
    assert pixels[40:90, 40:90].mean() < 215, "the middle is not"


def test_the_bundled_model_keeps_what_a_low_strength_leaves_of_an_image(bundled: Any, a_request: Any) -> None:
    model, generator = bundled
    (first,) = generator.draw(a_request(model, prompt="a red apple", steps=model.steps), Recording())
    start = Start(first)
    asked = a_request(
        model, prompt="a red apple", steps=model.steps, seed=99, init_image="0" * 26, strength=0.2
    )
    (near,) = generator.draw(asked, Recording(), start)
    (other,) = generator.draw(a_request(model, prompt="a red apple", steps=model.steps, seed=99), Recording())
    original = np.array(first, dtype=int)
    assert abs(np.array(near) - original).mean() < abs(np.array(other) - original).mean()
