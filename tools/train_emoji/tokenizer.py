"""The tokenizer: byte-pair encoding in CLIP's format, learnt on the words of the captions."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from .split import Sampler
from .vocabulary import Thing

END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 24  # tokens in a prompt; longer ones are cut
ENTRIES = 2400
CAPTIONS = 20_000


def merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs to merge, most frequent first."""
    learner = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=ENTRIES,
        min_frequency=1,
        end_of_word_suffix=END_OF_WORD,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(words, trainer)
    return pairs(learner)


def pairs(tokenizer: Any) -> list[tuple[str, str]]:
    """The merges of a tokenizer."""
    found = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(left, right) for left, right in found]


def singulars(things: Sequence[Thing]) -> dict[str, str]:
    """For the plural of every word in a name, that word; a plain rule, irregular ones aside."""
    single = {part for thing in things for word in thing.words for part in word.split() if part.isalpha()}
    found = {}
    for word in sorted(single):
        if word.endswith(("s", "x", "ch", "sh")):
            many = word + "es"
        elif word.endswith("y") and word[-2] not in "aeo":
            many = word[:-1] + "ies"
        else:
            many = word + "s"
        if many not in single:
            found[many] = word
    return found


def captions(sampler: Sampler, seed: int) -> list[str]:
    """Captions as in training, to count words in."""
    rng = random.Random(f"tokenizer {seed}")
    return [sampler.draw(rng).text.replace(",", " ") for _ in range(CAPTIONS)]


def build(sampler: Sampler, seed: int) -> CLIPTokenizer:
    """Every single byte is an entry too, so that any text at all has tokens."""
    learnt = merges([*captions(sampler, seed), *singulars(sampler.things)])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    entries = [
        *alphabet,
        *(each + END_OF_WORD for each in alphabet),
        *(left + right for left, right in learnt),
    ]
    entries = [*dict.fromkeys(entries), START, END]
    vocab = {entry: index for index, entry in enumerate(entries)}
    return CLIPTokenizer(vocab=vocab, merges=learnt, model_max_length=LENGTH)


def extend(tokenizer: CLIPTokenizer, texts: Iterable[str]) -> CLIPTokenizer:
    """A tokenizer that has each word of `texts` as one entry; the entries of `tokenizer` keep their places.

    New merges come last, so that what was one entry before is split no other way now.
    """
    vocab, learnt = dict(tokenizer.get_vocab()), pairs(tokenizer.backend_tokenizer)
    for word in dict.fromkeys(word for text in texts for word in re.findall("[a-z]+", text)):
        parts = tokenizer.tokenize(word)
        while len(parts) > 1:
            learnt.append((parts[0], parts[1]))
            parts = [parts[0] + parts[1], *parts[2:]]
            vocab.setdefault(parts[0], len(vocab))
    return CLIPTokenizer(vocab=vocab, merges=list(dict.fromkeys(learnt)), model_max_length=LENGTH)
