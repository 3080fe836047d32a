"""The command line: makes trials and prints all that were made as tables."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from tools.train_emoji import sources
from tools.train_emoji.__main__ import DEFAULT_STEPS
from tools.train_emoji.run import Run

from .table import tables
from .trial import NAMES, Trials


def parser() -> argparse.ArgumentParser:
    """The options."""
    every = "; ".join(f"{at} {name}" for at, name in enumerate(NAMES, 1))
    found = argparse.ArgumentParser(prog="python -m tools.trial_emoji", description=__doc__)
    found.add_argument("model", type=Path, help="the model whose text encoder and latents are taken")
    found.add_argument("--out", type=Path, default=Path("build/trials"), help="the figures of every trial")
    found.add_argument("--seconds", type=float, default=300, help="of processor time to train in, each")
    found.add_argument("--only", type=int, nargs="*", metavar="N", help=every)
    found.add_argument("--pictures", type=int, default=130, help="how many are drawn in the end")
    found.add_argument("--bank", type=int, default=DEFAULT_STEPS["bank"], help="latents to learn from")
    found.add_argument("--seed", type=int, default=0, help="of weights and batches")
    sources.add_options(found)
    return found


def main(arguments: Sequence[str]) -> None:
    """Makes the trials that were asked for; others may run beside them, once there is a bank."""
    chosen = parser().parse_args(arguments)
    torch.set_num_threads(1)  # so that processor time is time
    torch.set_flush_denormal(True)
    chosen.out.mkdir(parents=True, exist_ok=True)
    run = Run(
        out=chosen.out,
        model=chosen.out / "model",
        start=chosen.model,
        font=chosen.font,
        annotations=chosen.cldr,
        seed=0,
        resume=True,
        steps=DEFAULT_STEPS | {"bank": chosen.bank},
    )
    trials = Trials(run, chosen.seconds, chosen.pictures, chosen.seed)
    for at in chosen.only or range(1, len(NAMES) + 1):
        figures = {"name": NAMES[at - 1], "seed": chosen.seed} | trials.figures(NAMES[at - 1])
        path = chosen.out / f"trial-{at:02}-{chosen.seed}.json"
        path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(tables([json.loads(each.read_text("utf-8")) for each in sorted(chosen.out.glob("trial-*.json"))]))


if __name__ == "__main__":
    main(sys.argv[1:])
