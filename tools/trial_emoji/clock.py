"""The same time for every trial."""

from __future__ import annotations

import time
from collections.abc import Iterator


def shares(seconds: float) -> Iterator[float]:
    """Goes round until the process has had so many seconds of processor time: the share that is spent.

    On one thread that is what a quiet machine would have taken, whatever else this one has to do.
    """
    began = time.process_time()
    while (spent := time.process_time() - began) < seconds:
        yield spent / seconds
