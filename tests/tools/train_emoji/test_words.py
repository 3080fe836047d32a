"""What becomes of words: the tokenizer and the text encoder."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tools.train_emoji import lessons, near, text_encoder, tokenizer
from tools.train_emoji.lessons import Lessons
from tools.train_emoji.split import Sampler
from tools.train_emoji.stage import Stage
from tools.train_emoji.vocabulary import Thing


@pytest.fixture(scope="module")
def made(sampler: Sampler) -> Any:
    return tokenizer.build(sampler, 0)


@pytest.fixture(scope="module")
def course(sampler: Sampler, things: tuple[Thing, ...]) -> Lessons:
    return Lessons(sampler, near.load(things))


def test_no_word_names_two_things(things: tuple[Thing, ...]) -> None:
    words = [word for thing in things for word in thing.words]
    assert len(words) == len(set(words))


def test_no_two_things_share_a_glyph_and_every_thing_has_a_name(things: tuple[Thing, ...]) -> None:
    assert len({thing.glyph for thing in things}) == len(things)
    assert all(thing.words and all(word == word.lower().strip() for word in thing.words) for thing in things)


def test_any_text_has_tokens_and_everyday_words_have_one(made: Any) -> None:
    assert made.tokenize("dogs") == ["dogs</w>"]
    ids = made("ein Zebra 象 \N{GRINNING FACE}").input_ids
    assert made.eos_token_id not in ids[1:-1]


def test_more_words_leave_the_old_entries_where_they_were(made: Any) -> None:
    more = tokenizer.extend(made, ["a terrapin", "zebras"])
    assert more.tokenize("terrapin zebras") == ["terrapin</w>", "zebras</w>"]
    old = made.get_vocab()
    assert {entry: index for entry, index in more.get_vocab().items() if entry in old} == old
    text = "a cute dog on a pink background"
    assert more(text).input_ids == made(text).input_ids


def test_a_grown_text_encoder_reads_the_old_words_as_before(made: Any) -> None:
    model = text_encoder.build(made).eval()
    more = tokenizer.extend(made, ["terrapin"])
    grown = text_encoder.grow(model, more).eval()
    with torch.no_grad():
        before, after = (m(text_encoder.tokens(made, ["a dog"])).last_hidden_state for m in (model, grown))
    assert torch.equal(before, after)
    table = grown.get_input_embeddings().weight
    entries = more.get_vocab()
    assert torch.equal(table[entries["terrapin</w>"]], table[entries["nice</w>"]])


def test_a_plural_means_its_singular_and_a_word_never_seen_is_a_filler(made: Any, course: Lessons) -> None:
    model = text_encoder.build(made)
    text_encoder.settle_unseen(model, made, course, 0)
    table = model.get_input_embeddings().weight

    def meaning(word: str) -> list[float]:
        return list(table[made.convert_tokens_to_ids(word + "</w>")].tolist())

    assert meaning("dogs") == meaning("dog") != meaning("cat")
    assert meaning("é") == meaning("nice")


def test_a_few_steps_teach_the_text_encoder_something(made: Any, course: Lessons) -> None:
    torch.manual_seed(0)
    model = text_encoder.build(made)
    reader = text_encoder.Reader(text_encoder.WIDTH, len(course.sampler.things))
    weights = [*model.parameters(), *reader.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=3e-3)
    rng, losses = random.Random(0), []
    captions = [course.draw(rng) for _ in range(16)]
    for _ in range(12):
        loss, _ = text_encoder.read_step(model, reader, made, captions)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_words_that_were_fillers_are_learnt_and_nothing_else_changes(
    made: Any, course: Lessons, tmp_path: Path
) -> None:
    model = text_encoder.build(made).eval()
    table = model.get_input_embeddings().weight
    left, right, nice = (made.convert_tokens_to_ids(f"{word}</w>") for word in ("left", "right", "nice"))
    table.data[[left, right]] = table.data[nice].clone()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    text_encoder.learn_words(model, made, course, Stage("words", tmp_path), 4, 0)
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}
    (name,) = changed
    rows = (model.state_dict()[name] != before[name]).any(1).nonzero().flatten().tolist()
    assert sorted(rows) == sorted([left, right])
    assert not torch.equal(table[left], table[right])


def test_near_words_name_no_thing_and_belong_to_one(things: tuple[Thing, ...]) -> None:
    words = [word for own in near.load(things) for word in own]
    assert len(words) == len(set(words)) > 100
    assert not {word for thing in things for word in thing.words} & set(words)


def test_a_slip_changes_one_long_word_and_little_of_it() -> None:
    rng = random.Random(0)
    for _ in range(100):
        spoilt = lessons.spoil("a cat and an elephant", rng)
        assert spoilt.startswith("a cat and an ")
        assert abs(len(spoilt) - len("a cat and an elephant")) <= 1
    assert lessons.spoil("a red cat", rng) == "a red cat"
