"""What was found, as tables for the model card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COLUMNS = {
    "autoencoder steps": "steps of the autoencoder",
    "psnr": "PSNR",
    "steps": "steps",
    "error, little noise": "error, little noise",
    "error, half noise": "half",
    "error, much noise": "much",
    "recall_1": "recall@1",
    "recall_5": "recall@5",
    "rmse": "RMSE",
    "ground": "ground",
}


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: one of the ways to train, one of latents, each where there are any."""
    of_latents = [row for row in rows if "psnr" in row]
    others = [row for row in rows if row not in of_latents]
    return "\n\n".join(table(each) for each in (others, of_latents) if each)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown; a column that no row has is left out."""
    columns = {key: title for key, title in COLUMNS.items() if any(key in row for row in rows)}
    lines = ["| | " + " | ".join(columns.values()) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        name = row["name"] + (f", seed {row['seed']}" if row["seed"] else "")
        lines.append("| " + " | ".join([name, *(shown(key, row[key]) for key in columns)]) + " |")
    return "\n".join(lines)


def shown(key: str, value: float) -> str:
    """A figure with as many digits as it is worth."""
    if "steps" in key:
        return f"{value:,}"
    return f"{value:.1f} dB" if key == "psnr" else f"{value:.3f}"
