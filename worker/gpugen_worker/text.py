"""Text for the server: cut to what it accepts, and encodable."""

from __future__ import annotations


def sendable(text: str, limit: int) -> str:
    """`text` without the surrogates that stand for undecodable bytes of a path, cut to `limit` characters."""
    return text[:limit].encode("utf-8", "replace").decode("utf-8")
