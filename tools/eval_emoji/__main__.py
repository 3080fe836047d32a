"""The command line: measures a model, draws its sheets, and fails when a bar does not hold."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.train_emoji import sources

from . import bars, sheets
from .artist import GUIDANCE, STEPS, Artist
from .evaluation import PARTS, Evaluation, folder_bytes, load_seconds
from .prompts import SHEET


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(prog="python -m tools.eval_emoji", description=__doc__)
    found.add_argument("model", type=Path, help="the model folder; metrics.json is written into it")
    found.add_argument("--sheets", type=Path, help="also draw the sheets, into this folder")
    found.add_argument("--blind", type=Path, help="also a shuffled, numbered sheet, and its key beside it")
    found.add_argument("--only-sheets", action="store_true", help="draw, but measure nothing")
    found.add_argument(
        "--only", default=",".join(PARTS), help="which figures to measure; the others are kept"
    )
    found.add_argument("--steps", type=int, default=STEPS)
    found.add_argument("--guidance", type=float, default=GUIDANCE)
    found.add_argument("--seed", type=int, default=0)
    sources.add_options(found)
    return found


def draw(artist: Artist, folder: Path, blind: Path | None, seed: int) -> None:
    """The sheets."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = sheets.draw_sheets(artist, folder)
    if blind:
        sheets.draw_blind(pictures, SHEET, blind, blind.with_name("blind-key.json"), seed)


def main(arguments: Sequence[str]) -> int:
    """Runs the command; 1 when a bar does not hold."""
    chosen = parser().parse_args(arguments)
    artist = Artist.load(chosen.model, chosen.steps, chosen.guidance)
    if chosen.sheets:
        draw(artist, chosen.sheets, chosen.blind, chosen.seed)
    if chosen.only_sheets:
        return 0
    kept = chosen.model / "metrics.json"
    metrics = json.loads(kept.read_text("utf-8")) if kept.exists() and chosen.only != ",".join(PARTS) else {}
    evaluation = Evaluation.of(artist, chosen.font, chosen.cldr, chosen.seed)
    metrics |= {"load_seconds": load_seconds(chosen.model), "bytes": folder_bytes(chosen.model)}
    for part in chosen.only.split(","):
        print(f"measuring {part}", file=sys.stderr, flush=True)
        metrics |= evaluation.metrics([part])
        # After each: what was measured is kept, should the run be cut short, for `--only` to go on from.
        kept.write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    print(bars.report(metrics))
    return 1 if bars.failed(metrics) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
