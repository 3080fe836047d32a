"""Words that the bundled model does not know."""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.worker.recording import Recording

from gpugen_protocol.models import parse_registry
from gpugen_worker.choice import local_folder
from gpugen_worker.diffusion import DiffusionGenerator
from gpugen_worker.known_words import KnownWords, Swap

MODEL = parse_registry({}).get("emoji")
THINGS = [["dog", "puppy"], ["ice cream"], ["horse", "pony"]]


def words_of_a_pipeline_where_near_words_share_letters() -> KnownWords:
    def tokenizer(texts: list[str], **_: Any) -> Any:
        counts = [[text.count(letter) for letter in ascii_lowercase] for text in texts]
        return SimpleNamespace(input_ids=torch.tensor(counts))

    def encoder(ids: torch.Tensor) -> Any:
        return SimpleNamespace(last_hidden_state=ids[:, None].float())

    tokenizer.model_max_length, encoder.device = 26, "cpu"  # type: ignore[attr-defined]
    entries = ["a", "an", "dog", "horse", "on", "red", "yellow", "background", "picture", "of"]
    tokenizer.get_vocab = lambda: {"zz": 0} | {word + "</w>": 1 for word in entries}  # type: ignore[attr-defined]
    return KnownWords(THINGS, SimpleNamespace(tokenizer=tokenizer, text_encoder=encoder))


@pytest.mark.parametrize(
    "prompt", ["a dog", "Two PUPPIES at home.", "ponies, zz", "my ice creams!", "ice  cream"]
)
def test_a_prompt_that_names_a_known_thing_is_left_alone(prompt: str) -> None:
    assert words_of_a_pipeline_where_near_words_share_letters().swap(prompt) is None


@pytest.mark.parametrize("prompt", ["", "draw me", "a nice picture on a blue background", "123 !?"])
def test_a_prompt_with_nothing_to_swap_is_left_alone(prompt: str) -> None:
    assert words_of_a_pipeline_where_near_words_share_letters().swap(prompt) is None


def test_of_all_unknown_words_the_nearest_to_a_known_one_is_swapped_for_its_usual_name() -> None:
    words = words_of_a_pipeline_where_near_words_share_letters()
    assert words.swap("a zzz and a ponny on a blue background") == Swap("ponny", "horse")


def test_a_swap_keeps_the_rest_of_the_prompt_and_other_words_that_hold_it() -> None:
    assert (
        Swap("ape", "monkey").in_prompt("An Ape on a grape background") == "An monkey on a grape background"
    )


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        ("an illustration of a Dog, zz", "an of a Dog,"),
        ("a dog on a red background", "a dog on a red background"),
        ("a hrose on a yelow backgroundd", "a horse on a yellow"),
        ("", ""),
    ],
)
def test_slips_are_put_right_and_words_that_the_tokenizer_has_in_pieces_left_out(
    prompt: str, plain: str
) -> None:
    assert words_of_a_pipeline_where_near_words_share_letters().plain(prompt) == plain


def test_of_what_is_left_out_only_that_is_told_which_asks_for_something() -> None:
    words = words_of_a_pipeline_where_near_words_share_letters()
    assert words.left_out("please draw an angry dog riding a bike, riding!") == ["riding", "bike"]
    assert words.left_out("a dog to the right for my wall") == ["wall"]


def test_a_model_that_lists_no_words_takes_any(tmp_path: Path) -> None:
    assert KnownWords.read(tmp_path, None) is None


def test_the_registry_lists_what_the_bundled_model_draws() -> None:
    folder = local_folder(MODEL)
    assert folder is not None
    lines = (folder / "words.txt").read_text("utf-8").splitlines()
    assert [line.split(", ")[0] for line in lines] == list(MODEL.words)


@pytest.mark.parametrize(
    ("strange", "known"), [("zebra", "horse"), ("eliphant", "elephant"), ("wolf", "dog")]
)
def test_a_strange_word_draws_the_nearest_known_thing_and_says_so(
    a_request: Any, tmp_path: Path, strange: str, known: str
) -> None:
    generator, seen = DiffusionGenerator((MODEL,), data_dir=tmp_path), Recording()
    (found,) = generator.draw(a_request(MODEL, prompt=f"a {strange} on a blue background"), seen)
    (wanted,) = generator.draw(a_request(MODEL, prompt=f"a {known} on a blue background"), Recording())
    assert np.array_equal(np.array(found), np.array(wanted))
    ((level, message),) = seen.logs
    assert level == "warning"
    assert f"“{strange}”" in message
    assert f"“{known}”" in message
    assert "gpugen models emoji" in message


def test_a_word_that_is_not_known_beside_one_that_is_changes_nothing_and_is_told(
    a_request: Any, tmp_path: Path
) -> None:
    generator, seen = DiffusionGenerator((MODEL,), data_dir=tmp_path), Recording()
    request = a_request(MODEL, prompt="a clumsy dog on a blue background, trending", negative_prompt="blurry")
    (found,) = generator.draw(request, seen)
    (wanted,) = generator.draw(a_request(MODEL, prompt="a dog on a blue background,"), Recording())
    assert np.array_equal(np.array(found), np.array(wanted))
    assert seen.logs == [("info", "emoji does not know, and leaves out: clumsy, trending.")]
