"""Words that the bundled model does not know."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.worker.recording import Recording
from tools.eval_emoji.prompts import SHEET, VARIETY
from tools.train_emoji import near, vocabulary

from gpugen_protocol.models import parse_registry
from gpugen_worker.choice import local_folder
from gpugen_worker.diffusion import DiffusionGenerator
from gpugen_worker.known_words import KnownWords, Swap

MODEL = parse_registry({}).get("emoji")
THINGS = [
    ["dog", "puppy", "🐶"],
    ["ice cream", "🍦"],
    ["horse", "pony", "🐴"],
    ["pizza", "slice of pizza", "🍕"],
    ["bicycle", "bike", "🚲"],
    ["house", "🏠"],
    ["leaf", "🍁"],
]
NEAR = {"wolf": "dog", "zebra": "horse", "motorbike": "bicycle", "man": "dog"}
ENTRIES = """
    a an on of the and red yellow sad draw me picture background dog puppy horse pony ice cream pizza slice
    bicycle bike house leaf wolf zebra motorbike man
"""


@pytest.fixture(scope="module")
def words() -> KnownWords:
    return KnownWords(THINGS, NEAR, ENTRIES.split())


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> DiffusionGenerator:
    return DiffusionGenerator((MODEL,), data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def shipped() -> KnownWords:
    from transformers import CLIPTokenizer

    folder = local_folder(MODEL)
    assert folder is not None
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    found = KnownWords.read(folder, SimpleNamespace(tokenizer=tokenizer))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "prompt", ["a dog", "Two PUPPIES at home.", "ponies, zz", "my ice creams!", "ice  cream"]
)
def test_a_prompt_that_names_a_known_thing_is_left_alone(words: KnownWords, prompt: str) -> None:
    assert words.swap(prompt) is None


@pytest.mark.parametrize("prompt", ["", "draw me", "a nice picture on a blue background", "123 !?"])
def test_a_prompt_with_nothing_to_swap_is_left_alone(words: KnownWords, prompt: str) -> None:
    assert words.swap(prompt) is None
    assert words.named(prompt) == []


@pytest.mark.parametrize(
    ("prompt", "swap"),
    [
        ("a wolf and a zebra", Swap("wolf", "dog")),
        ("two wolves", Swap("wolves", "dog")),
        ("a bicicle on a blue background", Swap("bicicle", "bicycle")),
        ("piza", Swap("piza", "pizza")),
        ("a slice", Swap("slice", "pizza")),
    ],
)
def test_a_word_for_another_thing_or_spelled_almost_so_is_swapped_for_a_known_one(
    words: KnownWords, prompt: str, swap: Swap
) -> None:
    assert words.swap(prompt) == swap


@pytest.mark.parametrize("prompt", ["harbour", "a hose", "a doge", "invoice", "cancel", "mizza", "🧾", "猫"])
def test_a_word_that_is_like_nothing_or_like_two_things_is_not_swapped(
    words: KnownWords, prompt: str
) -> None:
    assert words.swap(prompt) is None
    assert words.left_out(prompt) == [prompt.removeprefix("a ")]


@pytest.mark.parametrize(
    ("prompt", "spelled"),
    [
        ("🍕", "pizza"),
        ("a red 🐶🏽", "a red dog"),
        ("🐕 and 🧾", "dog and 🧾"),
        ("a hrose on yelow", "a horse on yellow"),
        ("a hose", "a hose"),
    ],
)
def test_emoji_are_read_by_their_names_and_slips_put_right(
    words: KnownWords, prompt: str, spelled: str
) -> None:
    assert " ".join(words.spelled(prompt).split()) == spelled


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("a dog and two PONIES", ["dog", "ponies"]),
        ("a dog, a puppy", ["puppy"]),
        ("a sad dog", ["dog"]),
        ("an ice cream", ["ice cream"]),
        ("a cream", []),
    ],
)
def test_the_things_a_prompt_names_are_told_apart(words: KnownWords, prompt: str, named: list[str]) -> None:
    assert words.named(prompt) == named


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
        ("a man on a slice of horse", "a on a of horse"),
        ("autumn leaves", "leaf"),
        ("", ""),
    ],
)
def test_slips_are_put_right_and_words_that_it_has_not_read_alone_left_out(
    words: KnownWords, prompt: str, plain: str
) -> None:
    assert words.plain(prompt) == plain


def test_of_what_is_left_out_only_that_is_told_which_asks_for_something(words: KnownWords) -> None:
    assert words.left_out("please draw my angry dog's 2 men riding a bike, riding!") == ["2", "men", "riding"]
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
    assert seen.logs == [("warning", "emoji does not know, and leaves out: clumsy, trending.")]


@pytest.mark.parametrize(
    ("prompt", "warning"),
    [
        ("a man riding a horse", "emoji does not know, and leaves out: man, riding."),
        ("two cats", "emoji does not know, and leaves out: two."),
        ("a fox in the snow", "emoji draws one thing at a time, and here are 2: fox, snow."),
        (
            "a harbour",
            "emoji does not know “harbour” and cannot draw it. `gpugen models emoji` lists what it draws.",
        ),
        ("!", "The prompt names nothing that emoji could draw. `gpugen models emoji` lists what it draws."),
    ],
)
def test_what_will_be_missing_is_told_in_one_warning(
    a_request: Any, generator: DiffusionGenerator, prompt: str, warning: str
) -> None:
    seen = Recording()
    list(generator.draw(a_request(MODEL, prompt=prompt), seen))
    assert seen.logs == [("warning", warning)]


@pytest.mark.parametrize("prompt", ["🍕", "pizzza"])
def test_an_emoji_or_a_slip_draws_what_it_means_without_a_word(
    a_request: Any, generator: DiffusionGenerator, prompt: str
) -> None:
    seen = Recording()
    (found,) = generator.draw(a_request(MODEL, prompt=prompt), seen)
    (wanted,) = generator.draw(a_request(MODEL, prompt="pizza"), Recording())
    assert np.array_equal(np.array(found), np.array(wanted))
    assert seen.logs == []


@pytest.mark.parametrize("prompt", sorted({*SHEET, *VARIETY}))
def test_of_the_prompts_of_the_sheets_nothing_is_left_out(shipped: KnownWords, prompt: str) -> None:
    assert shipped.plain(prompt) == prompt
    assert len(shipped.named(prompt)) == 1
    assert shipped.left_out(prompt) == []


def test_every_emoji_it_was_trained_on_is_read_as_its_thing(shipped: KnownWords) -> None:
    for thing in vocabulary.load():
        assert shipped.plain(thing.glyph) == thing.name


def test_every_word_that_is_near_a_thing_draws_it(shipped: KnownWords) -> None:
    things = vocabulary.load()
    for thing, distant in zip(things, near.load(things), strict=True):
        single = [word for word in distant if " " not in word and shipped.left_out(word)]
        assert {word: swap.known for word in single if (swap := shipped.swap(word))} == dict.fromkeys(
            single, thing.name
        )
