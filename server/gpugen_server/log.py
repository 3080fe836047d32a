"""What the server writes about itself: one JSON object a line, or text where a person is watching."""

from __future__ import annotations

import logging
import re
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_QUERY = re.compile(r"(?<=[^\s?])\?[^\s'\"]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(form: Literal["auto", "json", "text"], stream: TextIO = sys.stderr) -> None:
    """Send the records of structlog and of every standard logger (tornado's, say) to `stream`.

    Args:
        form: `auto` is text on a terminal and JSON elsewhere.
        stream: where the lines go.
    """
    text = form == "text" or (form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(text, stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("peewee").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def only_troubles(logger: str) -> None:
    """From `logger`, write warnings and worse alone."""
    logging.getLogger(logger).setLevel(logging.WARNING)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _clean,
    ]


def _rendering(text: bool, stream: TextIO) -> list[Processor]:
    if text:
        plain = structlog.dev.plain_traceback  # the default one shows the values of variables, tokens too
        return [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), timestamp_key="at", exception_formatter=plain
            )
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Strangers choose addresses and names: drop query strings (secrets), escape what could forge lines."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _CONTROL.sub(_escaped, _QUERY.sub("?…", value))
    return event


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
