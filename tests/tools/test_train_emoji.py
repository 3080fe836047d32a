"""The training code of the bundled model: its captions, its held-out split, its vocabulary and its export."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from tools.train_emoji import autoencoder, captions, denoiser, export, text_encoder, tokenizer, vocabulary

THINGS = vocabulary.load()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two threads on a busy machine wait for each other more than they work."""
    import torch

    torch.set_num_threads(1)


def test_the_same_seed_draws_the_same_captions() -> None:
    first, second = random.Random(3), random.Random(3)
    sampler = captions.Sampler(THINGS, 0)
    assert [sampler.draw(first) for _ in range(200)] == [sampler.draw(second) for _ in range(200)]


def test_training_never_draws_a_held_out_combination() -> None:
    kept_out = {(each.thing, each.colour) for each in captions.held_out(THINGS, 0)}
    rng, sampler = random.Random(0), captions.Sampler(THINGS, 0)
    drawn = {(each.thing, each.colour) for each in (sampler.draw(rng) for _ in range(20_000))}
    assert len(kept_out) >= 200
    assert not kept_out & drawn


def test_a_caption_that_names_no_background_belongs_to_white() -> None:
    rng, sampler = random.Random(1), captions.Sampler(THINGS, 0)
    names = {name for label, _ in captions.COLOURS[1:] for name in label}
    for each in (sampler.draw(rng) for _ in range(2000)):
        if each.colour != captions.WHITE and each.text:
            assert any(name in each.text for name in names)


def test_no_word_names_two_things() -> None:
    words = [word for thing in THINGS for word in thing.words]
    assert len(words) == len(set(words))


def test_no_two_things_share_a_glyph_and_every_thing_has_a_name() -> None:
    assert len({thing.glyph for thing in THINGS}) == len(THINGS)
    assert all(thing.words and all(word == word.lower().strip() for word in thing.words) for thing in THINGS)


@pytest.mark.parametrize(
    ("pattern", "words", "caption"),
    [
        ("a {}", "apple", "an apple"),
        ("a {}", "dog", "a dog"),
        ("draw a {}", "owl", "draw an owl"),
        ("", "cat", "cat"),
    ],
)
def test_the_article_fits_the_word(pattern: str, words: str, caption: str) -> None:
    assert captions.fill(pattern, words) == caption


def test_any_text_has_tokens_and_everyday_words_have_one() -> None:
    made = tokenizer.build(THINGS, 0)
    assert made.tokenize("dogs") == ["dogs</w>"]
    ids = made("ein Zebra 象 \N{GRINNING FACE}").input_ids
    assert made.eos_token_id not in ids[1:-1]


def test_a_plural_means_its_singular_and_a_word_never_seen_is_a_filler() -> None:
    made = tokenizer.build(THINGS, 0)
    model = text_encoder.build(made)
    text_encoder.settle_unseen(model, made, THINGS, 0)
    table = model.get_input_embeddings().weight

    def meaning(word: str) -> list[float]:
        return list(table[made.convert_tokens_to_ids(word + "</w>")].tolist())

    assert meaning("dogs") == meaning("dog") != meaning("cat")
    assert meaning("é") == meaning("nice")


def test_the_fused_autoencoder_equals_the_stock_one_away_from_the_border() -> None:
    import torch

    vae = autoencoder.build(4)
    latents = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        off = autoencoder.decode(vae, latents) - autoencoder.Fused(vae).decode(latents)
    assert off[..., 8:-8, 8:-8].abs().max() < 1e-4


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_export_of_an_untrained_model_loads_and_draws(tmp_path: Path) -> None:
    import torch
    from diffusers import DiffusionPipeline

    tokens = tokenizer.build(THINGS[:4], 0)
    text = text_encoder.build(tokens)
    folder = tmp_path / "model"
    unet = denoiser.build(autoencoder.LATENT_CHANNELS, text_encoder.WIDTH)
    export.save(folder, export.assemble(autoencoder.build(), unet, text, tokens), THINGS[:4])
    pipeline = DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    assert {part.dtype for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder)} == {torch.float32}
    image = pipeline("dog", num_inference_steps=2, generator=torch.Generator().manual_seed(0)).images[0]
    assert image.size == (128, 128)
    assert (folder / "words.txt").read_text().splitlines()[0].startswith(THINGS[0].name)
