"""The HTML that stays in the notebook file: under a picture, or where there is none.

`style` attributes only, since a sanitizer drops style sheets; without any style the order is still right.
Whatever comes from a user or a server is escaped.
"""

from __future__ import annotations

from html import escape

from gpugen.words import headline, outcome, settings
from gpugen_protocol.errors import GpugenError
from gpugen_protocol.task import Task

_STRONG = "color: var(--jp-ui-font-color0, inherit); font-weight: 600"
_QUIET = "color: var(--jp-ui-font-color2, #808080); font-size: 12px"
_GOOD = "color: var(--jp-success-color1, #388e3c)"
_WARN = "color: var(--jp-warn-color1, #b26a00)"
_BAD = "color: var(--jp-error-color1, #d32f2f)"
_LINE = "var(--jp-border-color2, rgba(128, 128, 128, 0.35))"
_FONT = "font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif)"
_TEXT = f"{_FONT}; color: var(--jp-ui-font-color1, inherit)"
_CARD = (
    f"box-sizing: border-box; max-width: 720px; padding: 12px; border: 1px solid {_LINE}; border-radius: 8px"
)


def caption(task: Task, elapsed: float | None = None, warnings: tuple[str, ...] = ()) -> str:
    """The lines under the finished picture."""
    tone = _GOOD if task.state == "succeeded" else _WARN
    last = f'<span style="{tone}">{escape(outcome(task, elapsed))}</span> · task {escape(task.id)}'
    warned = (_line(_WARN, escape(warning)) for warning in warnings)
    return _box(f"{_TEXT}; margin-top: 4px", *_what(task), _line(_QUIET, last), *warned)


def failure(task: Task, error: GpugenError) -> str:
    """The card that stays when nothing was drawn."""
    canceled = task.state == "canceled"
    message = "Canceled before a picture was finished." if canceled else error.message
    return _box(
        f"{_TEXT}; {_CARD}",
        *_what(task),
        _line(f"{'' if canceled else _BAD}; margin-top: 6px", escape(message)),
        _line("", escape(error.hint)) if error.hint else "",
        _line(f"{_QUIET}; margin-top: 6px", f"task {escape(task.id)}"),
    )


def pending(task: Task) -> str:
    """The line under the card of a task that nobody waits for: it stays if the page is closed meanwhile."""
    wait, show = "<code>%gpugen wait</code>", f"<code>%gpugen show {escape(task.id)}</code>"
    return _box(_TEXT, _line(_QUIET, f"{wait} waits for it; {show} brings its images, also tomorrow."))


def _what(task: Task) -> tuple[str, str]:
    prompt = task.request.prompt
    return (
        f'<div style="{_STRONG}" title="{escape(prompt)}">{escape(headline(prompt))}</div>',
        _line(_QUIET, escape(settings(task.request))),
    )


def _box(style: str, *lines: str) -> str:
    return f'<div style="{style}">{"".join(lines)}</div>'


def _line(style: str, markup: str) -> str:
    return f'<div style="{style}">{markup}</div>'
