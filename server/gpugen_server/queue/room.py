"""What keeps workers from drawing something large, in words: which limit, of which workers."""

from __future__ import annotations

from collections.abc import Sequence

from gpugen_server.queue.workers import LiveWorker

WHAT_TO_DO = "Ask for a smaller size or another model, or add a worker that has room for it."
_NAMED = 3  # workers; of more it is said how many


def thing(model: str, width: int, height: int, memory: int) -> str:
    """What is to be drawn, and the bytes of memory that takes, if they are known."""
    return f"{width}x{height} with {model}" + (f", some {_gigabytes(memory)}" if memory else "")


def limits(workers: Sequence[LiveWorker], memory: int, pixels: int) -> str:
    """How much each of `workers` has, the largest first; none has room for `memory` bytes and `pixels`."""
    order = sorted(workers, key=lambda worker: (-worker.memory_bytes, -worker.max_pixels, worker.id))
    return _and_more([_limit(worker, memory, pixels) for worker in order], "no larger")


def names(workers: Sequence[LiveWorker]) -> str:
    """`a`, `a and b`, `a, b, c and 5 more`."""
    return _and_more(sorted(worker.name for worker in workers))


def _limit(worker: LiveWorker, memory: int, pixels: int) -> str:
    if worker.memory_bytes and memory > worker.memory_bytes:
        return f"{worker.name} has {_gigabytes(worker.memory_bytes)}"
    return f"{worker.name} draws at most {worker.max_pixels:,} pixels, and these are {pixels:,}"


def _and_more(parts: list[str], what: str = "") -> str:
    shown, others = parts[:_NAMED], len(parts) - _NAMED
    if others > 0:
        shown.append(f"{others} more {what}".strip())
    *first, last = shown
    return f"{', '.join(first)} and {last}" if first else last


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.4g} GB"
