"""The text encoder: a small CLIPTextModel, first taught which thing and which colour a caption names.

The embeddings learn ten times as fast as the rest: each word is seen seldom, the layers at every step.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from .captions import COLOURS, Sampler
from .stage import Stage, rate
from .tokenizer import END_OF_WORD, LENGTH, captions, singulars
from .vocabulary import Thing

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


def pretrain(
    things: Sequence[Thing], tokenizer: CLIPTokenizer, stage: Stage, steps: int, seed: int
) -> CLIPTextModel:
    """Trains a text encoder to tell things and colours apart."""
    torch.manual_seed(seed)
    model = build(tokenizer)
    state = stage.load()
    if state and state["step"] >= steps:
        model.load_state_dict(state["model"])
        return model
    reader = nn.Linear(model.config.hidden_size, len(things) + len(COLOURS))
    optimiser = torch.optim.AdamW(
        [
            {"params": list(embeddings(model)), "lr": EMBEDDING_RATE, "full": EMBEDDING_RATE},
            {"params": [*rest(model), *reader.parameters()], "lr": LEARNING_RATE, "full": LEARNING_RATE},
        ],
        betas=(0.9, 0.99),
        weight_decay=1e-3,
    )
    sampler = Sampler(things, seed)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = group["full"] * rate(step, steps, flat=0.4)
        loss, right = read_step(model, reader, tokenizer, sampler, random.Random(f"text {seed} {step}"))
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_([*model.parameters(), *reader.parameters()], 1.0)
        optimiser.step()
        if (step + 1) % 50 == 0:
            stage.log(step + 1, loss=float(loss.detach()), right=right)
    settle_unseen(model, tokenizer, things, seed)
    stage.save({"model": model.state_dict(), "step": steps})
    return model


def settle_unseen(model: CLIPTextModel, tokenizer: CLIPTokenizer, things: Sequence[Thing], seed: int) -> None:
    """Plurals mean what their singular means, and what no caption ever used counts as a filler word."""
    seen = {index for text in captions(things, seed) for index in tokenizer(text).input_ids}
    single = {many + END_OF_WORD: word + END_OF_WORD for many, word in singulars(things).items()}
    entries = tokenizer.get_vocab()
    table = model.get_input_embeddings().weight.data
    for entry, index in entries.items():
        if index not in seen:
            table[index] = table[entries.get(single.get(entry, FILLER), entries[FILLER])]


def read_step(
    model: CLIPTextModel, reader: nn.Linear, tokenizer: CLIPTokenizer, sampler: Sampler, rng: random.Random
) -> tuple[torch.Tensor, float]:
    """The loss of one batch, and the share of captions with thing and colour both named right."""
    drawn = [sampler.draw(rng, empty_share=0) for _ in range(BATCH)]
    thing = torch.tensor([each.thing for each in drawn])
    colour = torch.tensor([each.colour for each in drawn])
    hidden = model(tokens(tokenizer, [each.text for each in drawn])).last_hidden_state
    scores = reader(hidden.mean(1))
    things, colours = scores[:, : -len(COLOURS)], scores[:, -len(COLOURS) :]
    loss = F.cross_entropy(things, thing) + F.cross_entropy(colours, colour)
    right = (things.argmax(1) == thing) & (colours.argmax(1) == colour)
    return loss, float(right.float().mean())
