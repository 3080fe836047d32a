"""The text encoder: a small CLIPTextModel, taught which thing, colours, size and side a caption names.

The embeddings learn ten times as fast as the rest: each word is seen seldom, the layers at every step.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from .captions import Captioned
from .lessons import Lessons
from .palette import COLOURS, NAMES
from .scene import SIDES, SIZES
from .stage import Stage, rate
from .tokenizer import CAPTIONS, END_OF_WORD, LENGTH, singulars

WIDTH = 192
LAYERS = 2
BATCH = 64
LEARNING_RATE = 1e-3
EMBEDDING_RATE = 1e-2
EMBEDDING_STD = 0.1
FILLER = "nice" + END_OF_WORD


def build(tokenizer: CLIPTokenizer, width: int = WIDTH) -> CLIPTextModel:
    """A fresh text encoder."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = CLIPTextModel(config)
    for weight in embeddings(model):
        nn.init.normal_(weight, std=EMBEDDING_STD)
    return model


def embeddings(model: CLIPTextModel) -> Iterator[nn.Parameter]:
    """The weights that stand for words and places."""
    return (value for name, value in model.named_parameters() if "embedding" in name)


def rest(model: CLIPTextModel) -> Iterator[nn.Parameter]:
    """All other weights."""
    return (value for name, value in model.named_parameters() if "embedding" not in name)


def tokens(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> torch.Tensor:
    """As the pipeline makes them: cut and padded to one length."""
    found: torch.Tensor = tokenizer(
        list(texts), padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
    ).input_ids
    return found


def grow(model: CLIPTextModel, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The same encoder with rows for the entries that `tokenizer` has beyond those of `model`.

    A new plural starts as its singular, any other new word as a filler.
    """
    grown = build(tokenizer, model.config.hidden_size)
    weights = model.state_dict()
    name = next(each for each in weights if each.endswith("token_embedding.weight"))
    entries = tokenizer.get_vocab()
    more = len(entries) - len(weights[name])
    filler = weights[name][entries[FILLER]]
    weights[name] = torch.cat([weights[name], filler.expand(more, -1)])
    grown.load_state_dict(weights)
    return grown


class Reader(nn.Linear):  # type: ignore[misc]
    """Tells from the mean of the hidden states what a caption says: one score for each value of each part."""

    def __init__(self, width: int, things: int) -> None:
        self.parts = (things, len(COLOURS), len(NAMES) + 1, len(SIZES), len(SIDES))
        super().__init__(width, sum(self.parts))

    def scores(self, hidden: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """For each part its scores [n, values], of hidden states [n, tokens, width]."""
        found: torch.Tensor = self(hidden.mean(1))
        return tuple(found.split(self.parts, 1))


def answers(captions: Sequence[Captioned]) -> tuple[torch.Tensor, ...]:
    """For each part of `Reader` what is right."""
    paints = ["", *NAMES]
    scenes = [each.scene for each in captions]
    rows = [
        (each.thing, each.ground, paints.index(each.paint), SIZES.index(each.size), SIDES.index(each.side))
        for each in scenes
    ]
    return tuple(torch.tensor(rows).unbind(1))


def train(
    model: CLIPTextModel, tokenizer: CLIPTokenizer, lessons: Lessons, stage: Stage, steps: int, seed: int
) -> CLIPTextModel:
    """Trains a text encoder to tell apart what captions say."""
    torch.manual_seed(seed)
    state = stage.load()
    if state and state["step"] >= steps:
        model.load_state_dict(state["model"])
        return model
    reader = Reader(model.config.hidden_size, len(lessons.sampler.things))
    optimiser = torch.optim.AdamW(
        [
            {"params": list(embeddings(model)), "full": EMBEDDING_RATE},
            {"params": [*rest(model), *reader.parameters()], "full": LEARNING_RATE},
        ],
        betas=(0.9, 0.99),
        weight_decay=1e-3,
    )
    fit(model, reader, optimiser, tokenizer, Course(lessons, stage, steps, seed))
    settle_unseen(model, tokenizer, lessons, seed)
    stage.save({"model": model.state_dict(), "step": steps})
    return model


def learn_words(
    model: CLIPTextModel, tokenizer: CLIPTokenizer, lessons: Lessons, stage: Stage, steps: int, seed: int
) -> CLIPTextModel:
    """Teaches an encoder the words that were fillers to it and now mean something, and changes nothing else:
    what it says of all other captions, and so what a denoiser has learnt of them, stays as it is.
    """
    torch.manual_seed(seed)
    reader = Reader(model.config.hidden_size, len(lessons.sampler.things))
    table = model.get_input_embeddings().weight
    fresh = fillers(model, tokenizer)
    model.requires_grad_(False)
    table.requires_grad_(True).register_hook(lambda slope: slope * fresh[:, None])
    groups = [{"params": found, "full": EMBEDDING_RATE} for found in ([table], list(reader.parameters()))]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.0)
    fit(model, reader, optimiser, tokenizer, Course(lessons, stage, steps, seed))
    stage.save({"model": model.state_dict(), "step": steps})
    return model


def fillers(model: CLIPTextModel, tokenizer: CLIPTokenizer) -> torch.Tensor:
    """For each entry [entries] whether it means just what a filler does, the filler itself aside."""
    table = model.get_input_embeddings().weight.detach()
    own = tokenizer.get_vocab()[FILLER]
    found = (table == table[own]).all(1)
    found[own] = False
    return found


@dataclass(frozen=True)
class Course:
    """What to learn from, how long, and where the curve goes."""

    lessons: Lessons
    stage: Stage
    steps: int
    seed: int


def fit(
    model: CLIPTextModel,
    reader: Reader,
    optimiser: torch.optim.Optimizer,
    tokenizer: CLIPTokenizer,
    course: Course,
) -> None:
    """Trains what the optimiser holds; each of its groups has its full rate."""
    learnt = [weight for group in optimiser.param_groups for weight in group["params"]]
    for step in range(course.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["full"] * rate(step, course.steps, flat=0.4)
        rng = random.Random(f"{course.stage.name} {course.seed} {step}")
        captions = [course.lessons.draw(rng) for _ in range(BATCH)]
        loss, right = read_step(model, reader, tokenizer, captions)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        if (step + 1) % 50 == 0:
            course.stage.log(step + 1, loss=float(loss.detach()), right=right)


def settle_unseen(model: CLIPTextModel, tokenizer: CLIPTokenizer, lessons: Lessons, seed: int) -> None:
    """Plurals mean what their singular means, and what no caption ever used counts as a filler word."""
    rng = random.Random(f"unseen {seed}")
    texts = [lessons.draw(rng).text for _ in range(CAPTIONS)]
    seen = {index for text in texts for index in tokenizer(text).input_ids}
    single = {
        many + END_OF_WORD: word + END_OF_WORD for many, word in singulars(lessons.sampler.things).items()
    }
    entries = tokenizer.get_vocab()
    table = model.get_input_embeddings().weight.data
    for entry, index in entries.items():
        if index not in seen:
            table[index] = table[entries.get(single.get(entry, FILLER), entries[FILLER])]


def forget(model: CLIPTextModel, tokenizer: CLIPTokenizer, words: Sequence[str]) -> None:
    """Makes fillers of words."""
    entries = tokenizer.get_vocab()
    table = model.get_input_embeddings().weight.data
    for word in words:
        table[entries[word + END_OF_WORD]] = table[entries[FILLER]]


def read_step(
    model: CLIPTextModel, reader: Reader, tokenizer: CLIPTokenizer, captions: Sequence[Captioned]
) -> tuple[torch.Tensor, float]:
    """The loss of one batch, and the share of captions with thing and ground both named right."""
    hidden = model(tokens(tokenizer, [each.text for each in captions])).last_hidden_state
    scores, wanted = reader.scores(hidden), answers(captions)
    loss = sum((F.cross_entropy(*each) for each in zip(scores, wanted, strict=True)), torch.zeros(()))
    right = torch.stack([s.argmax(1) == w for s, w in zip(scores[:2], wanted[:2], strict=True)]).all(0)
    return loss, float(right.float().mean())
