"""Ids: ULIDs for tasks and workers, unguessable names for leases."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def ulid() -> str:
    """26 lower-case characters: 48 bits of milliseconds, then 80 random ones; they sort by time."""
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -10, -10)])


def lease(task: str, attempt: int) -> str:
    """The name of one attempt's lease; it starts with its task's id, so no index is needed to find it."""
    return f"{task}-{attempt}-{secrets.token_hex(10)}"


def task_of(lease: str) -> str:
    """The task that `lease` is about."""
    return lease.split("-", 1)[0]
