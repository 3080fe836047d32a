from __future__ import annotations

import torch
from tools.train_emoji import autoencoder


def test_the_fused_autoencoder_equals_the_stock_one_away_from_the_border() -> None:
    vae = autoencoder.build(4)
    latents = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        off = autoencoder.decode(vae, latents) - autoencoder.Fused(vae).decode(latents)
    assert off[..., 8:-8, 8:-8].abs().max() < 1e-4


def test_standardised_latents_have_mean_zero_and_deviation_one() -> None:
    torch.manual_seed(0)
    vae = autoencoder.build(4)
    images = torch.rand(8, 3, 128, 128)
    with torch.no_grad():
        autoencoder.standardise(vae, autoencoder.encode(vae, images))
        found = autoencoder.encode(vae, images)
    assert found.mean((0, 2, 3)).abs().max() < 1e-3
    assert (found.std((0, 2, 3)) - 1).abs().max() < 1e-3
