"""The command line: trains the model stage by stage."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from . import sources
from .run import STAGES, Run

DEFAULT_STEPS = {
    "autoencoder": 5000,
    "text": 450,
    "words": 250,
    "bank": 10000,
    "decoder": 7500,
    "denoiser": 12000,
    "drawn": 2000,
    "finish": 1200,
}


def parser() -> argparse.ArgumentParser:
    """The options of the training command."""
    found = argparse.ArgumentParser(prog="python -m tools.train_emoji", description=__doc__)
    found.add_argument("--out", type=Path, default=Path("build/emoji"), help="checkpoints and the curve")
    found.add_argument("--model", type=Path, help="where the pipeline goes; default: OUT/model")
    found.add_argument("--start", type=Path, help="a model to go on from; default: begin with nothing")
    found.add_argument("--resume", action="store_true", help="go on from the checkpoints in OUT")
    found.add_argument("--stages", default=",".join(STAGES), help="which stages, separated by commas")
    for name, count in DEFAULT_STEPS.items():
        found.add_argument(f"--steps-{name}", type=int, default=count)
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--threads", type=int, default=0, help="default: as many as PyTorch likes")
    sources.add_options(found)
    return found


def main(arguments: Sequence[str]) -> None:
    """Runs the stages that were asked for, in order."""
    chosen = parser().parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)  # numbers too small to matter are slow
    chosen.out.mkdir(parents=True, exist_ok=True)
    stages = chosen.stages.split(",")
    unknown = set(stages) - set(STAGES)
    if unknown:
        raise SystemExit(f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    run = Run(
        out=chosen.out,
        model=chosen.model or chosen.out / "model",
        start=chosen.start,
        font=chosen.font,
        annotations=chosen.cldr,
        seed=chosen.seed,
        resume=chosen.resume,
        steps={name: getattr(chosen, f"steps_{name}") for name in DEFAULT_STEPS},
    )
    for name in stages:
        getattr(run, name)()


if __name__ == "__main__":
    main(sys.argv[1:])
