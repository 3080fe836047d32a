"""What the worker's own log and those of its libraries say while a task is drawn, as lines of that task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gpugen_protocol.events import LogLevel

_LIBRARIES = ("diffusers", "transformers", "huggingface_hub")


class TaskLog(logging.Handler):
    """Hands each record to `tell`.

    They are `info` or `debug` whatever their own level: what the user should act on is said by the drawing
    itself, and a library warns of much that is no trouble.
    """

    def __init__(self, tell: Callable[[LogLevel, str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """One record, one line."""
        try:
            ours = record.name.startswith("gpugen.")
            self._tell("info" if ours else "debug", record.getMessage())
        except Exception:
            self.handleError(record)


@contextmanager
def told(tell: Callable[[LogLevel, str], None]) -> Iterator[None]:
    """Inside, `tell` gets what is logged."""
    handler = TaskLog(tell)
    loggers = [logging.getLogger(name) for name in ("gpugen.worker", *_LIBRARIES)]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
