"""Latents to small pictures."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gpugen_worker.preview import MAX_BYTES, LinearLook, fit_factors, preview_picture, small_jpeg


class LinearAutoencoder:
    """Its latents are a known mixture of an eighth-size picture's colours: the fit must undo it."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, scaling: float = 0.5, shift: float | None = 0.25, broken: bool = False) -> None:
        self.config = {"scaling_factor": scaling, "shift_factor": shift}
        self.mix = torch.tensor([[1.0, 0.2, 0.0], [0.0, -1.0, 0.3], [0.4, 0.0, 2.0], [0.5, 0.5, 0.5]])
        self.broken = broken

    def encode(self, pictures: torch.Tensor) -> SimpleNamespace:
        small = torch.nn.functional.interpolate(pictures, scale_factor=1 / 8, mode="area")
        latents = torch.einsum("bchw,kc->bkhw", small, self.mix) + 0.1
        return SimpleNamespace(latents=latents * float("nan") if self.broken else latents)


def test_the_fit_finds_how_colours_follow_from_latents() -> None:
    vae = LinearAutoencoder()
    factors = fit_factors(SimpleNamespace(vae=vae))
    assert factors is not None
    picture = torch.zeros(1, 3, 64, 64)
    picture[:, 0, :, :32], picture[:, 2, :, 32:] = 0.8, 0.6
    latents = (vae.encode(picture).latents - 0.25) * 0.5
    seen = np.array(
        Image.open(io.BytesIO(small_jpeg(preview_picture(latents, LinearLook(factors))))).resize(
            (8, 8), Image.Resampling.BOX
        )
    )
    assert np.abs(seen[4, 1].astype(int) - [230, 128, 128]).max() < 8
    assert np.abs(seen[4, 6].astype(int) - [128, 128, 204]).max() < 8


def test_an_autoencoder_that_cannot_tell_means_no_previews() -> None:
    assert fit_factors(SimpleNamespace(vae=LinearAutoencoder(broken=True))) is None
    assert fit_factors(SimpleNamespace()) is None


@pytest.mark.parametrize(
    ("height", "width", "size"), [(64, 64, (128, 128)), (8, 16, (128, 64)), (256, 16, (8, 128))]
)
def test_previews_are_at_most_128_pixels_and_16_kilobytes_even_of_pure_noise(
    height: int, width: int, size: tuple[int, int]
) -> None:
    noise = torch.randn(1, 4, height, width) * 14
    jpeg = small_jpeg(preview_picture(noise, LinearLook(torch.randn(5, 3))))
    assert len(jpeg) <= MAX_BYTES
    assert Image.open(io.BytesIO(jpeg)).size == size


def test_values_that_are_no_numbers_still_give_a_picture() -> None:
    jpeg = small_jpeg(preview_picture(torch.full((1, 4, 8, 8), float("nan")), LinearLook(torch.ones(5, 3))))
    assert Image.open(io.BytesIO(jpeg)).size == (128, 128)
