"""Text for the server: cut to what it accepts, and encodable."""

from __future__ import annotations


def sendable(text: str, limit: int) -> str:
    """`text` without the surrogates that stand for undecodable bytes of a path, cut to `limit` characters."""
    return text[:limit].encode("utf-8", "replace").decode("utf-8")


def amount(done: int, total: int) -> str:
    """`0.12 of 3.40 GB`, `12 of 90 MB`: bytes for a person to read."""
    if total >= 1_000_000_000:
        return f"{done / 1e9:.2f} of {total / 1e9:.2f} GB"
    return f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
